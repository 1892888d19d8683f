//! Deleting what no record came to refer to, and what uploads and deletions left in the store.

use std::time::{Duration, SystemTime};

use pds_blobstore::BlobKey;
use pds_store::blob;

use crate::app::App;

/// How long an upload may wait for a record that refers to it, and a broken one for somebody to notice.
pub(super) const UNREFERENCED: Duration = Duration::from_secs(24 * 60 * 60);
const PAGE: u32 = 500;

/// Deletes uploads that no record came to refer to, and what broken uploads left behind; how many blobs there were. Rows first,
/// bytes after: a key stays noted until its object is gone, so there is never a row without bytes, and no bytes are forgotten.
pub async fn sweep(app: &App) -> anyhow::Result<usize> {
    let before = app.clock.now_us() - i64::try_from(UNREFERENCED.as_micros())?;
    let mut swept = 0;
    loop {
        let found = blob::sweepable(&app.db, before, PAGE).await?;
        for candidate in &found {
            let mut tx = app.db.begin().await?;
            let deleted = blob::delete_temporary(&mut tx, candidate.account_id, &candidate.cid, before).await?;
            tx.commit().await?;
            swept += usize::from(deleted);
        }
        if found.len() < PAGE as usize {
            break;
        }
    }
    empty_bin(app).await?;
    app.blobs.sweep(SystemTime::now() - UNREFERENCED).await?;
    Ok(swept)
}

async fn empty_bin(app: &App) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let keys = blob::discarded(&app.db, app.clock.now_us(), &after, PAGE).await?;
        for key in &keys {
            app.blobs.delete(&key.parse::<BlobKey>()?).await?;
            let mut tx = app.db.begin().await?;
            blob::forget_discarded(&mut tx, key).await?;
            tx.commit().await?;
        }
        match keys.into_iter().next_back() {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Deletes an object that no row names; if the store is away, the next sweep does it.
pub(super) async fn drop_object(app: &App, key: &BlobKey) -> pds_store::Result<()> {
    let Err(error) = app.blobs.delete(key).await else { return Ok(()) };
    tracing::warn!(%key, error = crate::report::chain(&error), "left an object to the next sweep");
    let mut tx = app.db.begin().await?;
    blob::discard(&mut tx, key.as_str(), app.clock.now_us()).await?;
    tx.commit().await
}
