//! Gives back the names of sign-ups that a crash interrupted.

use pds_store::{Db, account};

/// How long a sign-up may take before its reservation is given back; microseconds.
const STALE_US: i64 = 10 * 60 * 1_000_000;
/// Reservations of one run.
const PAGE: u32 = 100;

/// Gives back the reservations that are older than a sign-up takes. `now` is in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn give_back(db: Db, now: i64) -> anyhow::Result<()> {
    for stale in account::stale_reservations(&db, now - STALE_US, PAGE).await? {
        let mut tx = db.begin().await?;
        if account::give_back(&mut tx, stale.id).await? {
            tracing::info!(account.did = %stale.did, "gave back the unfinished sign-up of {}", stale.handle);
        }
        tx.commit().await?;
    }
    Ok(())
}
