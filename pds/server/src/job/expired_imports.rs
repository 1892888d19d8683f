//! Deletes what imports staged whose server has died.

use pds_store::{Db, commit};

/// Imports of one run.
const PAGE: u32 = 100;

/// Undoes the imports whose lease has expired by `now`, in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn undo(db: Db, now: i64) -> anyhow::Result<()> {
    for id in commit::expired(&db, now, PAGE).await? {
        if commit::undo_expired(&db, id, now).await? {
            tracing::info!(account.id = %id, "undid an import of account {id} that had expired");
        }
    }
    Ok(())
}
