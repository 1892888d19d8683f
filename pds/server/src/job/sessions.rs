//! Deletes expired refresh tokens. Access tokens are not stored.

use pds_store::{Db, session};

/// Deletes the refresh tokens that have expired by `now`, in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn forget_expired(db: Db, now: i64) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let count = session::forget_expired(&mut tx, now).await?;
    tx.commit().await?;
    if count > 0 {
        tracing::info!(count, "deleted {count} expired refresh tokens");
    }
    Ok(())
}
