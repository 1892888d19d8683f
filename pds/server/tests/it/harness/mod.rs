//! A running server for a test: own database, blobs in memory or where the test says, a PLC directory in the process, ports of
//! its own, and a clock that can be put forward.

mod answer;
mod blobs;
mod clock;
mod collector;
mod database;
mod directory;
mod firehose;
mod mailpit;
mod mover;
mod name_server;
mod others;
mod peer;
mod person;
mod place;
mod port;
mod proxy;
mod redis;
pub(crate) mod reference;
mod tls_front;
mod upstream;

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use pds_config::{Secrets, Settings};
use pds_identity::plc;
use pds_server::{
    app::App,
    http::listener,
    job,
    outside::{Outside, open_blob_store, rotation_key},
    rate_limit::Connections,
    router,
};
use pds_store::{Db, Options};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

pub(crate) use answer::{Answer, send};
use blobs::Blobs;
use clock::TestClock;
pub(crate) use collector::{Collector, Traced};
pub(crate) use database::Database;
use directory::Directory;
pub(crate) use firehose::{Event, Firehose};
pub(crate) use mailpit::{FROM, Mailpit, certificate};
pub(crate) use mover::Mover;
pub(crate) use name_server::NameServer;
pub(crate) use others::others;
pub(crate) use peer::{Peer, script};
pub(crate) use person::Person;
pub(crate) use place::Place;
pub(crate) use port::free_port;
pub(crate) use proxy::{Proxy, Way};
pub(crate) use redis::Redis;
pub(crate) use reference::{Reference, Resident};
pub(crate) use tls_front::TlsFront;
pub(crate) use upstream::{APP_VIEW, Upstream, raw};

pub(crate) const ADMIN_PASSWORD: &str = "admin-password";

/// A variable of the environment that says where something is that tests need.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which installs and starts what tests need"))
}

/// A server, or one of several replicas of it.
pub(crate) struct TestPds {
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) directory: Arc<Directory>,
    /// Where the metrics port listens.
    pub(crate) metrics_url: String,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) database: Arc<Database>,
}

impl TestPds {
    pub(crate) async fn sqlite() -> Self {
        Self::start(Database::sqlite()).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::start(Database::postgres().await).await
    }

    async fn start(database: Database) -> Self {
        Self::with(database, PLAIN).await
    }

    /// With settings of its own; if they say where blobs are, they are there. Requests are not limited unless they say so.
    pub(crate) async fn with(database: Database, settings: &[(&'static str, impl AsRef<str>)]) -> Self {
        let (database, directory) = (Arc::new(database), Arc::<Directory>::default());
        let (settings, secrets) = read_settings(&database, settings);
        let is_memory = settings.blob.store == read_settings(&database, PLAIN).0.blob.store;
        let blobs = match is_memory {
            true => Blobs::default(),
            false => Blobs::over(open_blob_store(&settings, &secrets).await.unwrap()),
        };
        Self::run(database, directory, Arc::new(blobs), None, (settings, secrets)).await
    }

    /// On SQLite, with this app view and further settings.
    pub(crate) async fn with_app_view(app_view: &Upstream, settings: &[(&'static str, &str)]) -> Self {
        let mut all = app_view.as_app_view();
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Self::with(Database::sqlite(), &all).await
    }

    /// On SQLite, with identities in `directory`; the one in the process stays empty.
    pub(crate) async fn with_directory(directory: Arc<dyn plc::Directory>) -> Self {
        Self::on_with_directory(Database::sqlite(), directory).await
    }

    /// With identities in `directory`; the one in the process stays empty.
    pub(crate) async fn on_with_directory(database: Database, directory: Arc<dyn plc::Directory>) -> Self {
        Self::with_directory_and(database, directory, &[]).await
    }

    /// The same with settings of its own.
    pub(crate) async fn with_directory_and(
        database: Database,
        directory: Arc<dyn plc::Directory>,
        settings: &[(&'static str, &str)],
    ) -> Self {
        Self::replica_on(Arc::new(database), Arc::default(), Arc::default(), Some(directory), settings).await
    }

    /// Another replica on the same database, blobs and directory.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(&[]).await
    }

    /// Another replica with settings of its own.
    pub(crate) async fn replica_with(&self, settings: &[(&'static str, &str)]) -> Self {
        Self::replica_on(self.database.clone(), self.directory.clone(), self.blobs.clone(), None, settings).await
    }

    /// Another server, with accounts of its own in the same directory.
    pub(crate) async fn neighbour(&self, database: Database) -> Self {
        Self::replica_on(Arc::new(database), self.directory.clone(), Arc::default(), None, &[]).await
    }

    async fn replica_on(
        database: Arc<Database>,
        directory: Arc<Directory>,
        blobs: Arc<Blobs>,
        other_directory: Option<Arc<dyn plc::Directory>>,
        more: &[(&'static str, &str)],
    ) -> Self {
        let settings = read_settings(&database, more);
        Self::run(database, directory, blobs, other_directory, settings).await
    }

    async fn run(
        database: Arc<Database>,
        directory: Arc<Directory>,
        blobs: Arc<Blobs>,
        other_directory: Option<Arc<dyn plc::Directory>>,
        (settings, secrets): (Settings, Secrets),
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let db = Db::connect(&database.url, &Options::default()).await.unwrap();
        pds_store::migrate(&db).await.unwrap();
        let clock = Arc::new(TestClock::default());
        let plc = other_directory.unwrap_or_else(|| directory.clone());
        let rotation = rotation_key(&secrets.plc_rotation_key, None).await.unwrap();
        let outside = Outside { blobs: blobs.clone(), plc, rotation, clock: clock.clone() };
        let app = App::start(settings, &secrets, db, outside).await.unwrap();
        let url = serve(router::public(app.clone()), app.connections.clone());
        let metrics_url = serve(router::metrics(app.clone()), Connections::new(64, Vec::new()));
        Self { app, url, http: reqwest::Client::new(), directory, metrics_url, clock, blobs, database }
    }

    pub(crate) fn get(&self, method: &str) -> RequestBuilder {
        self.http.get(format!("{}/xrpc/{method}", self.url))
    }

    pub(crate) fn post(&self, method: &str) -> RequestBuilder {
        self.http.post(format!("{}/xrpc/{method}", self.url))
    }

    pub(crate) async fn query(&self, method: &str, params: &[(&str, &str)]) -> Answer {
        send(self.get(method).query(params)).await
    }

    /// As the administrator.
    pub(crate) async fn admin(&self, method: &str, input: Value) -> Answer {
        send(self.post(method).basic_auth("admin", Some(ADMIN_PASSWORD)).json(&input)).await
    }

    /// As the administrator.
    pub(crate) async fn admin_query(&self, method: &str, params: &[(&str, &str)]) -> Answer {
        send(self.get(method).basic_auth("admin", Some(ADMIN_PASSWORD)).query(params)).await
    }

    pub(crate) async fn invite(&self, uses: u32) -> String {
        let request = self.post("com.atproto.server.createInviteCode").basic_auth("admin", Some(ADMIN_PASSWORD));
        send(request.json(&json!({"useCount": uses}))).await.ok()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn sign_up(&self, input: Value) -> Answer {
        send(self.post("com.atproto.server.createAccount").json(&input)).await
    }

    /// The person of an answer to a sign-up or a login.
    pub(crate) fn person_of(&self, session: Value) -> Person {
        Person::new(&self.url, &self.http, &session)
    }

    pub(crate) async fn log_in(&self, identifier: &str, password: &str) -> Answer {
        let input = json!({"identifier": identifier, "password": password});
        send(self.post("com.atproto.server.createSession").json(&input)).await
    }

    /// Somebody with an account.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let input = json!({
            "handle": format!("{name}.pds.test"), "email": format!("{name}@example.com"),
            "password": "correct horse", "inviteCode": self.invite(1).await,
        });
        self.person_of(self.sign_up(input).await.ok())
    }

    /// What the job does that asks the blob store whether it takes requests.
    pub(crate) async fn ask_blob_store(&self) -> Result<(), String> {
        job::blob_store::ask(self.app.blobs.store(), &*self.app.clock, &self.app.metrics).await
    }

    /// From `cursor`, or from what has happened by now.
    pub(crate) async fn firehose(&self, cursor: Option<i64>) -> Firehose {
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => pds_store::event::head(&self.app.db).await.unwrap(),
        };
        Firehose::open(&self.url, cursor).await
    }
}

/// No settings of its own.
const PLAIN: &[(&str, &str)] = &[];

fn read_settings(database: &Database, further: &[(&'static str, impl AsRef<str>)]) -> (Settings, Secrets) {
    let mut variables = HashMap::from([
        ("PDS_HOSTNAME", "pds.test".to_owned()),
        ("PDS_SERVICE_HANDLE_DOMAINS", ".pds.test".to_owned()),
        ("PDS_DATABASE_URL", database.url.clone()),
        ("PDS_BLOBSTORE_DISK_LOCATION", "/nonexistent".to_owned()),
        ("PDS_JWT_SECRET", "jwt-secret-of-a-test-that-is-long-enough".to_owned()),
        ("PDS_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
        ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "11".repeat(32)),
        ("PDS_KEY_ENCRYPTION_KEY", "22".repeat(32)),
        ("PDS_ID_RESOLVER_TIMEOUT", "500".to_owned()),
        // Domains of tests are asked for nothing, unless a test has a name server.
        ("PDS_LEXICON_RESOLVER_TIMEOUT", "0".to_owned()),
        ("PDS_MAX_REPO_IMPORT_SIZE", "4MiB".to_owned()),
        ("PDS_RATE_LIMITS_ENABLED", "false".to_owned()),
        ("PDS_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8".to_owned()),
    ]);
    variables.extend(further.iter().map(|(name, value)| (*name, value.as_ref().to_owned())));
    if variables.contains_key("PDS_BLOBSTORE_S3_BUCKET") {
        variables.remove("PDS_BLOBSTORE_DISK_LOCATION");
    }
    Settings::from_env(|name| variables.get(name).cloned()).unwrap()
}

/// As `pds serve` does it.
fn serve(routes: axum::Router, connections: Connections) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { listener::plain(listener, connections).unwrap().serve(routes).await });
    url
}

impl Drop for TestPds {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
    }
}
