//! Removes what the database keeps of other hosts and nobody uses any more. What is in memory or in Redis expires by itself.

use pds_store::Db;

use crate::identity::lexicons;

/// Forgets lexicons that were not found at their publishers for so long that they are no longer used. `now` is in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn forget_unused(db: Db, now: i64) -> anyhow::Result<()> {
    let forgotten = lexicons::forget_unused(&db, now).await?;
    if forgotten > 0 {
        tracing::info!("forgot {forgotten} lexicons of others that nobody uses");
    }
    Ok(())
}
