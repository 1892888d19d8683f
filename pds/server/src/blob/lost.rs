//! Blobs whose objects are gone: noticed by whoever reads or counts them, healed by whoever uploads the bytes again.

use std::time::Duration;

use futures::{StreamExt, stream};
use pds_blobstore::BlobKey;
use pds_repo::Cid;
use pds_store::{
    AccountId,
    blob::{self, Blob},
};
use tokio::time::timeout;

use crate::{app::App, report::chain};

/// Objects of one account that are looked for at once, and how many in all.
const OBJECTS: usize = 16;
const MOST: u32 = 2_000;
/// How long the owner waits for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes that the blob store has no object for a blob.
pub async fn mark_lost(app: &App, blob: &Blob) -> pds_store::Result<()> {
    let mut tx = app.db.begin().await?;
    let is_news = blob::mark_lost(&mut tx, blob, app.clock.now_us()).await?;
    tx.commit().await?;
    if is_news {
        app.metrics.blob_lost();
        let (account, cid, key) = (blob.account_id, blob.cid, &blob.storage_key);
        tracing::error!(account.id = %account, %cid, key, "the object {key} of blob {cid} is gone; uploading the blob again heals it");
    }
    Ok(())
}

/// Notes that the object of a blob that was lost is there again.
pub async fn mark_found(app: &App, blob: &Blob) -> pds_store::Result<()> {
    let mut tx = app.db.begin().await?;
    blob::mark_found(&mut tx, blob).await?;
    tx.commit().await
}

/// Whether the object of a blob is there.
///
/// # Errors
/// When the blob store does not say.
pub(super) async fn is_there(app: &App, blob: &Blob) -> Result<bool, pds_blobstore::Error> {
    match blob.storage_key.parse::<BlobKey>() {
        Ok(key) => app.blobs.exists(&key).await,
        Err(_) => Ok(false),
    }
}

/// Looks for the objects of an account's blobs, from the one after `after` on, and notes which are gone. It does not if that was done a
/// few minutes ago, or if the blob store is away or busy: what is known then has to do.
pub async fn look(app: &App, id: AccountId, after: Option<Cid>) -> pds_store::Result<()> {
    let Some(_turn) = app.blob_checks.turn(id, after).await else { return Ok(()) };
    let blobs = blob::permanent(&app.db, id, after.as_ref(), MOST).await?;
    let looks = stream::iter(blobs).map(|blob| async move { (is_there(app, &blob).await, blob) });
    let looked = looks.buffer_unordered(OBJECTS).for_each(|(is_there, blob)| async move {
        let noted = match is_there {
            Ok(false) if blob.lost_at.is_none() => mark_lost(app, &blob).await,
            Ok(true) if blob.lost_at.is_some() => mark_found(app, &blob).await,
            _ => Ok(()),
        };
        if let Err(error) = noted {
            tracing::warn!(error = chain(&error), "whether the object of a blob is there could not be noted");
        }
    });
    if timeout(PATIENCE, looked).await.is_err() {
        tracing::warn!(account.id = %id, "the objects of account {id} could not all be looked for in time");
    }
    Ok(())
}
