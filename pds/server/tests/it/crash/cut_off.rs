//! A replica that loses its way to the database or to the blobs, and finds it again: it says so, the other one goes on, and nothing
//! comes of it but a while without answers.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Plan, directory,
    replica::{Replica, migrate},
    site::Site,
    variables,
};
use crate::{
    command::SECRETS,
    harness::{Database, Proxy, Way},
};

/// The settings' longest wait for a connection, and for S3. What a request may take is a small multiple of it, on a busy machine too.
const WAIT: Duration = Duration::from_secs(2);
const BOUND: Duration = Duration::from_secs(45);

/// Two replicas on one database and one folder or bucket; the first has its own ways to them.
struct Pair {
    site: Site,
    database: Proxy,
    blobs: Proxy,
    /// Dropped when nobody uses it any more.
    _database: Database,
}

impl Pair {
    async fn start(plan: &Plan) -> Self {
        let postgres = Database::postgres().await;
        let (server, name) = postgres.url.rsplit_once('/').unwrap();
        let (_, address) = server.rsplit_once('@').expect("an address behind the user's name");
        let database = Proxy::to(address.parse().unwrap()).await;
        let s3 = |name: &str| std::env::var(format!("AURORA_TEST_S3_{name}")).expect("S3: run `make test`");
        let (endpoint, access, secret) = (s3("ENDPOINT"), s3("ACCESS_KEY"), s3("SECRET_KEY"));
        let blobs = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
        let bucket = make_bucket(&endpoint, &format!("{access}:{secret}"));
        let wait = format!("{}ms", WAIT.as_millis());
        let replica = |database: &str, endpoint: &str| {
            let own = [
                ("PDS_DATABASE_URL", database),
                ("POSTGRES_CONNECT_TIMEOUT", &wait),
                ("PDS_BLOBSTORE_S3_BUCKET", &bucket),
                ("PDS_BLOBSTORE_S3_REGION", "us-east-1"),
                ("PDS_BLOBSTORE_S3_ENDPOINT", endpoint),
                ("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", &access),
                ("PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY", &secret),
                ("PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS", &wait),
                ("PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS", &wait),
            ];
            Replica::new(variables(&[&own[..], &SECRETS].concat()))
        };
        let through = format!("{}/{name}", server.replace(address, &format!("127.0.0.1:{}", database.port)));
        let cut = replica(&through, &format!("http://127.0.0.1:{}", blobs.port));
        let mut replicas = vec![cut, replica(&postgres.url, &endpoint)];
        migrate(replicas[1].folder.path(), &[("PDS_DATABASE_URL", &postgres.url)]);
        for replica in &mut replicas {
            replica.spawn();
            replica.process().ready().await;
        }
        let site = Site::open(replicas, &directory(), plan.seed).await;
        Self { site, database, blobs, _database: postgres }
    }

    /// Waits until the first replica says whether its blob store answers. It is ready all the while.
    async fn blob_store_is_up(&self, up: bool) {
        let (line, began) = (format!("aurora_blob_store_up {}", u8::from(up)), Instant::now());
        while !self.site.replicas[0].process().metrics().await.lines().any(|found| found == line) {
            assert!(began.elapsed() < BOUND, "no {line}");
            assert_eq!(self.site.replicas[0].process().readiness().await.0, 200);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the first replica finds that it can serve, or that it lacks just the database.
    async fn readiness(&self, database: bool) {
        let began = Instant::now();
        loop {
            let (status, said) = self.site.replicas[0].process().readiness().await;
            if (said["checks"]["database"] == "ok") == database && (status == 200) == database {
                return;
            }
            assert!(began.elapsed() < BOUND, "the database is there: {database}, and the replica says {said}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A request to the first replica: its status, which comes in time.
    async fn ask(&self, method: &str, kind: &str, body: String) -> StatusCode {
        let http = reqwest::Client::builder().timeout(BOUND).build().unwrap();
        let url = format!("{}/xrpc/{method}", self.site.replicas[0].address.url());
        let call = http.post(url).bearer_auth(&self.site.accounts[0].access).header("content-type", kind);
        call.body(body).send().await.expect("an answer in time").status()
    }
}

/// With the means of a shell: the S3 library is the blob store's alone.
fn make_bucket(endpoint: &str, user: &str) -> String {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let name = format!("cut-{}", uuid::Uuid::new_v4().simple());
    let arguments = ["-sf", "-X", "PUT", "-H", &format!("x-amz-content-sha256: {EMPTY}"), "--aws-sigv4"];
    let mut curl = std::process::Command::new("curl");
    curl.args(arguments).args(["aws:amz:us-east-1:s3", "--user", user, &format!("{endpoint}/{name}")]);
    assert!(curl.status().unwrap().success());
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_its_database_says_so_and_comes_back_without_a_restart() {
    let plan = Plan::new(0);
    let mut pair = Pair::start(&plan).await;
    for way in [Way::Refused, Way::Silent] {
        pair.site.progress(20).await;
        pair.database.set(way);
        plan.say(&format!("the way to the database is {way:?}"));
        pair.readiness(false).await;
        // Whatever the replica may have left behind in the database does not hold the other one up.
        pair.site.progress_elsewhere(20).await;
        pair.site.all_answered().await;
        // Should this be carried out later, nothing changes.
        let none = json!({"repo": pair.site.accounts[0].did, "collection": "com.example.thing", "rkey": "none"});
        let answered = pair.ask("com.atproto.repo.deleteRecord", "application/json", none.to_string()).await;
        assert_eq!(answered, StatusCode::SERVICE_UNAVAILABLE);
        pair.database.set(Way::Open);
        pair.readiness(true).await;
        plan.say("back again");
        pair.site.progress(20).await;
        pair.site.check(true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_its_blobs_says_so_and_writes_what_needs_none() {
    let plan = Plan::new(0);
    let mut pair = Pair::start(&plan).await;
    for way in [Way::Refused, Way::Silent] {
        pair.site.progress(20).await;
        pair.blobs.set(way);
        plan.say(&format!("the way to the blobs is {way:?}"));
        pair.blob_store_is_up(false).await;
        let answered = pair.ask("com.atproto.repo.uploadBlob", "text/plain", "a blob".to_owned()).await;
        // Not there, or there and silent.
        assert!([StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&answered), "{answered}");
        pair.site.progress(20).await;
        pair.blobs.set(Way::Open);
        pair.blob_store_is_up(true).await;
        plan.say("back again");
        let answered = pair.ask("com.atproto.repo.uploadBlob", "text/plain", "a blob".to_owned()).await;
        assert_eq!(answered, StatusCode::OK);
        pair.site.progress(20).await;
        pair.site.check(true).await;
    }
}
