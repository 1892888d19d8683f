//! Deletes expired refresh tokens and e-mail codes. Access tokens are not stored.

use pds_store::{Db, email_token, session};

/// How long an expired code is kept, so that whoever enters it late learns why it does not work; microseconds.
const LATE_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Deletes the refresh tokens that have expired by `now`, and codes that expired long before it, in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn forget_expired(db: Db, now: i64) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let count = session::forget_expired(&mut tx, now).await?;
    email_token::forget_expired(&mut tx, now - LATE_US).await?;
    tx.commit().await?;
    if count > 0 {
        tracing::info!(count, "deleted {count} expired refresh tokens");
    }
    Ok(())
}
