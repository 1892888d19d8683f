//! The database: whether it answers, whose it is, its schema, its clock and its connections.

use std::time::Duration;

use pds_config::{Secrets, Settings, var};
use pds_store::{Db, Options, event, schema};

use super::{
    super::{owner, settings},
    finding::Finding,
};
use crate::{
    clock::{Clock, SystemClock},
    report::chain,
};

const NAME: &str = "database";
/// A difference of clocks that is worth a word.
const SKEW: Duration = Duration::from_secs(2);

/// The findings, and the number of the newest event if it can be read.
pub(super) async fn check(settings: &Settings, secrets: &Secrets) -> (Vec<Finding>, Option<i64>) {
    // Connecting would make the file.
    if let Some(path) = secrets.database.sqlite_path()
        && !path.exists()
    {
        let text = format!("{} does not exist yet", path.display());
        let advice = "`pds serve` makes it at its first start. If there has been one, check PDS_DATA_DIRECTORY and PDS_DATABASE_URL.";
        return (vec![Finding::warn(NAME, text, advice)], None);
    }
    let options = Options {
        max_connections: 2,
        acquire_timeout: settings.database.connect_timeout,
        application_name: "pds doctor".to_owned(),
        ca_bundle: secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned()),
        ..Options::default()
    };
    let db = match settings::connect(&secrets.database, &options).await {
        Ok(db) => db,
        Err(error) => {
            let advice =
                format!("Check {}, that the server runs, and that this machine may reach it.", var::DATABASE_URL);
            return (vec![Finding::fail(NAME, format!("{error:#}"), advice)], None);
        }
    };
    let mut findings = vec![Finding::ok(NAME, format!("{} answers", secrets.database))];
    let unreadable = |error: pds_store::Error| {
        Finding::fail(NAME, format!("cannot be read: {}", chain(&error)), "Check the rights of the database's role.")
    };
    findings.push(schema_of(&db).await.unwrap_or_else(unreadable));
    if let Err(error) = owner::check(&db, &secrets.database, &secrets.data_keys()).await {
        findings.push(Finding::fail(NAME, format!("{error:#}"), "See docs/how-to/keys-and-recovery.md."));
    }
    findings.extend(clock(&db, settings.jobs.lease).await.unwrap_or_else(|error| Some(unreadable(error))));
    findings.extend(connections(&db, settings).await.unwrap_or_else(|error| Some(unreadable(error))));
    // One of an older schema may not have it.
    let head = event::head(&db).await.ok();
    db.close().await;
    (findings, head)
}

async fn schema_of(db: &Db) -> pds_store::Result<Finding> {
    let (fit, version, newest) = (schema::check(db).await?, schema::version(db).await?, schema::newest());
    Ok(match fit {
        schema::Fit::Current => Finding::ok(NAME, format!("the schema has version {version}")),
        schema::Fit::TooOld => Finding::fail(
            NAME,
            format!("the schema has version {version}, this release needs {newest}"),
            "Run `pds migrate` of this release; with SQLite, `pds serve` does so.",
        ),
        schema::Fit::TooNew => Finding::fail(
            NAME,
            format!("the schema has version {version}, which this release cannot use"),
            "Use the release that migrated the database, or a newer one.",
        ),
    })
}

/// Leases of jobs and expiries are written by the clocks of replicas.
async fn clock(db: &Db, lease: Duration) -> pds_store::Result<Option<Finding>> {
    let before = SystemClock.now_us();
    let Some(theirs) = db.clock_us().await? else { return Ok(None) };
    let middle = before.midpoint(SystemClock.now_us());
    let apart = Duration::from_micros(middle.abs_diff(theirs));
    let text = format!("its clock differs from this machine's by {} ms", apart.as_millis());
    let advice = "Let both machines take their time from NTP.";
    Ok(Some(match apart {
        apart if apart > lease / 2 => Finding::fail(NAME, text, advice),
        apart if apart > SKEW => Finding::warn(NAME, text, advice),
        _ => Finding::ok(NAME, text),
    }))
}

/// AL-STO-4: all replicas together must fit.
async fn connections(db: &Db, settings: &Settings) -> pds_store::Result<Option<Finding>> {
    let Some(allowed) = db.server_connections().await? else { return Ok(None) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let each = settings.database.connections(cores);
    let replicas = allowed / each.max(1);
    let text =
        format!("it takes {allowed} connections, and a replica uses up to {each}: enough for {replicas} replicas");
    Ok(Some(match replicas {
        // While it is replaced, a single replica exists twice.
        0 | 1 => Finding::warn(NAME, text, "Lower POSTGRES_MAX_CONNECTIONS, or raise max_connections of the server."),
        _ => Finding::ok(NAME, text),
    }))
}
