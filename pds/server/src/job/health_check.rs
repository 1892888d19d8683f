//! Checks what this server depends on, so that a fault is known before somebody needs the part. Probes do not wait for it.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use pds_identity::plc::Directory;
use pds_store::Db;
use tokio::time::timeout;

use crate::{blob::Blobs, mail::Mailer, report::chain};

/// The longest wait for one of them.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is checked.
#[derive(Clone)]
pub(super) struct Dependencies {
    pub(super) db: Db,
    pub(super) blobs: Blobs,
    pub(super) mailer: Mailer,
    pub(super) plc: Arc<dyn Directory>,
}

/// Checks all at once.
///
/// # Errors
/// Names each that does not work.
pub(super) async fn check(on: Dependencies) -> anyhow::Result<()> {
    let Dependencies { db, blobs, mailer, plc } = &on;
    let (database, blob_store, mail, directory) = tokio::join!(
        within(async { db.ping().await.map_err(|error| chain(&error)) }),
        within(async { blobs.store().health().await.map_err(|error| chain(&error)) }),
        within(async { mailer.check().await.map_err(|error| chain(&error)) }),
        within(async { plc.health().await.map_err(|error| chain(&error)) }),
    );
    let volume = if db.is_full() { Err("the database's volume is full".to_owned()) } else { Ok(()) };
    let checks = [
        ("database", database),
        ("database volume", volume),
        ("blob store", blob_store),
        ("mail", mail),
        ("PLC directory", directory),
    ];
    let faults: Vec<_> =
        checks.into_iter().filter_map(|(name, check)| Some(format!("{name}: {}", check.err()?))).collect();
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    Ok(())
}

async fn within(check: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}
