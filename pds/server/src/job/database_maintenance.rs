//! Takes care of the SQLite file.

use pds_store::{Db, maintenance};

/// Renews statistics and checkpoints the log.
///
/// # Errors
/// When the database fails.
pub(super) async fn maintain(db: Db) -> anyhow::Result<()> {
    Ok(maintenance::run(&db).await?)
}
