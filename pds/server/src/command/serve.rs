//! `pds serve`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use axum_server::Handle;
use pds_config::var;
use pds_identity::plc::HttpDirectory;
use pds_store::{Db, Dialect, Options, account, adoption, schema};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    failure::{self, Refusal},
    listen::listen,
    log, owner, settings, tls,
};
use crate::{
    app::App,
    clock::SystemClock,
    http::listener,
    mail::Kind,
    outside::{Outside, open_blob_store, relays, roots, rotation_key},
    rate_limit::Connections,
    router,
    trace::Sending,
};

/// How long the server accepts connections after SIGTERM, so that load balancers notice that it is not ready.
const DRAIN: Duration = Duration::from_secs(2);
/// How long requests in flight may take after that.
const GRACE: Duration = Duration::from_secs(25);

/// Maximum number of connections to the metrics port, beside those to the public one.
const METRICS_CONNECTIONS: usize = 64;

/// Serves until SIGTERM or SIGINT.
pub(super) async fn serve() -> anyhow::Result<()> {
    let (settings, secrets, made) = settings::load()?;
    let traces = Sending::start(&settings.traces, &secrets, relays(&secrets)?)?;
    log::start(&settings.log, traces.as_ref())?;
    settings::warn_of_idle();
    allow_files();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        max_connections: settings.database.connections(cores),
        min_connections: settings.database.min_connections,
        idle_timeout: settings.database.idle_timeout,
        max_lifetime: settings.database.max_lifetime,
        acquire_timeout: settings.database.connect_timeout,
        slow: settings.database.slow,
        application_name: "pds".to_owned(),
        ca_bundle: secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned()),
    };
    let db = settings::connect(&secrets.database, &options).await?;
    let keys = secrets.data_keys();
    if let Err(refused) = owner::check(&db, &secrets.database, &keys).await {
        let lost = made.filter(|_| refused.is::<Refusal>()).and_then(|made| made.lost());
        return Err(lost.map_or(refused, Into::into));
    }
    prepare_schema(&db).await?;
    if adoption::get(&db).await.context("look for an import")?.is_some_and(|import| import.finished_at.is_none()) {
        return Err(Refusal::UnfinishedImport.into());
    }
    // Before the database records the fingerprint: a key that KMS does not have, or that cannot sign, can then be corrected.
    let rotation =
        rotation_key(&secrets.plc_rotation_key, secrets.ca_bundle.as_ref()).await.map_err(failure::of_rotation_key)?;
    if let Some(made) = made {
        // Before the database records their fingerprint: if writing the keys failed afterwards, no start with other keys would be possible.
        made.keep(account::count(&db).await.context("count the accounts")?)?;
    }
    owner::claim(&db, &secrets.database, &keys).await?;
    let blobs = open_blob_store(&settings, &secrets).await.context("open the blob store")?;
    let (url, timeout) = (&settings.identity.plc_url, settings.identity.resolver_timeout);
    let plc = Arc::new(HttpDirectory::new(url, timeout, &roots(&secrets)?)?);
    let outside = Outside { blobs, plc, rotation, clock: Arc::new(SystemClock) };
    let app = App::start(settings, &secrets, db, outside).await?;
    if !app.emails.mailer().can_send(Kind::ResetPassword) {
        tracing::warn!(
            "{} is not set, so this server sends no e-mail: nobody can confirm an address, reset a password or delete an account without an administrator",
            var::EMAIL_SMTP_URL
        );
    }
    app.jobs.start();

    let service = &app.settings.service;
    let public = listen(service.port).context("PDS_PORT")?;
    let metrics = listen(service.metrics_port).context("PDS_METRICS_PORT")?;
    // Before the metrics port says that this server is ready.
    let tls = match &service.tls {
        Some(files) => Some(tls::start(files, app.shutdown.clone()).await?),
        None => None,
    };
    let (handle, inner) = (Handle::new(), Handle::new());
    tokio::spawn(stop_on_signal(app.clone(), handle.clone(), inner.clone()));
    let (failed, ends) = (app.failed.clone(), [handle.clone(), inner.clone()]);
    let failure = tokio::spawn(async move {
        failed.wait().await;
        ends.iter().for_each(Handle::shutdown);
    });
    let everybody = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
    let metrics = listener::plain(metrics, Connections::new(METRICS_CONNECTIONS, everybody))?.handle(inner);
    let detail = tokio::spawn(metrics.serve(router::metrics(app.clone()).into_make_service()));
    tracing::info!(
        "serving {} on port {}; metrics and health on port {}",
        service.public_url(),
        service.port,
        service.metrics_port
    );
    let routes = router::public(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        Some(config) => {
            let server = listener::tls(public, config, app.connections.clone())?;
            server.handle(handle).serve(routes).await?;
        }
        None => listener::plain(public, app.connections.clone())?.handle(handle).serve(routes).await?,
    }
    detail.await??;
    if let Some(task) = app.failed.task() {
        bail!("the {task} has ended, see the log before this line; start the server again");
    }
    failure.abort();
    app.db.close().await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Raises the limit of open files to what the system allows this process: many systems start programs with 1,024.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

/// SQLite is migrated here; on Postgres that is the work of `pds migrate`, before the first replica of a release starts.
pub(super) async fn prepare_schema(db: &Db) -> anyhow::Result<()> {
    if db.dialect() == Dialect::Sqlite {
        pds_store::migrate(db).await.context("migrate the schema")?;
    }
    match schema::check(db).await.context("look at the schema")? {
        schema::Fit::Current => Ok(()),
        schema::Fit::TooOld => bail!(
            "the database's schema has version {}, and this release needs version {}: run `pds migrate` of this release with the same \
             {}, then start `pds serve` again; until then this release serves nothing",
            schema::version(db).await.context("look at the schema")?,
            schema::newest(),
            var::DATABASE_URL
        ),
        schema::Fit::TooNew => {
            bail!("the database's schema is newer than this release can work with: use the release that migrated it")
        }
    }
}

async fn stop_on_signal(app: App, public: Handle<SocketAddr>, metrics: Handle<SocketAddr>) {
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return;
    };
    let drain = tokio::select! {
        _ = term.recv() => DRAIN,
        _ = interrupt.recv() => Duration::ZERO,
    };
    tracing::info!("stopping");
    // Readiness ends and subscriptions close now; new requests are still served while balancers take notice.
    app.shutdown.cancel();
    tokio::time::sleep(drain).await;
    public.graceful_shutdown(Some(GRACE));
    metrics.graceful_shutdown(Some(GRACE));
}
