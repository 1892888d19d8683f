//! Blobs: uploads that nobody refers to yet, and reading those that somebody does.

mod upload;

pub use upload::{Error, Uploaded, upload};

use pds_blobstore::BlobKey;
use pds_store::blob;

use crate::app::App;

/// How long an upload may wait for a record that refers to it; microseconds.
const UNREFERENCED_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Deletes uploads that no record came to refer to. Row first, bytes after: a crash in between leaves bytes without a name, never a name
/// without bytes.
pub async fn sweep(app: &App) -> anyhow::Result<usize> {
    let before = app.clock.now_us() - UNREFERENCED_US;
    let found = blob::sweepable(&app.db, before, 500).await?;
    let mut swept = 0;
    for candidate in found {
        let mut tx = app.db.begin().await?;
        let deleted = blob::delete_temporary(&mut tx, candidate.account_id, &candidate.cid, before).await?;
        tx.commit().await?;
        if let Some(key) = deleted {
            app.blobs.delete(&key.parse::<BlobKey>()?).await?;
            swept += 1;
        }
    }
    let begun_before = std::time::SystemTime::now() - std::time::Duration::from_secs(24 * 60 * 60);
    app.blobs.sweep(begun_before).await?;
    Ok(swept)
}
