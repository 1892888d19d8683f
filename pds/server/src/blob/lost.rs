//! Blobs whose objects the blob store lost. Reading and checking blobs finds them; uploading the same bytes again heals them.

use std::time::Duration;

use futures::{StreamExt, stream};
use pds_blobstore::BlobKey;
use pds_repo::Cid;
use pds_store::{
    AccountId,
    blob::{self, Blob},
};
use tokio::time::timeout;

use super::Blobs;
use crate::report::chain;

/// Requests to the blob store at once in the check of one account, and objects that one check asks for.
const REQUESTS: usize = 16;
const OBJECTS: u32 = 2_000;
/// How long the owner waits for a check.
const PATIENCE: Duration = Duration::from_secs(10);

impl Blobs {
    /// Records that the blob store has no object for a blob.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn mark_lost(&self, blob: &Blob) -> pds_store::Result<()> {
        let mut tx = self.db().begin().await?;
        let is_new = blob::mark_lost(&mut tx, blob, self.now_us()).await?;
        tx.commit().await?;
        if is_new {
            self.parts().metrics.blob_lost();
            let (account, cid, key) = (blob.account_id, blob.cid, &blob.storage_key);
            tracing::error!(account.id = %account, %cid, key, "the object {key} of blob {cid} is gone; uploading the blob again heals it");
        }
        Ok(())
    }

    /// Records that the object of a lost blob is there again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn mark_found(&self, blob: &Blob) -> pds_store::Result<()> {
        let mut tx = self.db().begin().await?;
        blob::mark_found(&mut tx, blob).await?;
        tx.commit().await
    }

    /// Whether the object of a blob exists.
    ///
    /// # Errors
    /// When the blob store fails.
    pub(super) async fn has_object(&self, blob: &Blob) -> Result<bool, pds_blobstore::Error> {
        match blob.storage_key.parse::<BlobKey>() {
            Ok(key) => self.store().exists(&key).await,
            Err(_) => Ok(false),
        }
    }

    /// Checks which objects of an account's blobs exist, from the blob after `after` on, and records the result. Does nothing if that was
    /// done a few minutes ago, or if the blob store fails or other checks run.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_objects(&self, id: AccountId, after: Option<Cid>) -> pds_store::Result<()> {
        let Some(_turn) = self.checks().turn(id, after).await else { return Ok(()) };
        let blobs = blob::permanent(self.db(), id, after.as_ref(), OBJECTS).await?;
        let checks = stream::iter(blobs).map(|blob| async move { (self.has_object(&blob).await, blob) });
        let checked = checks.buffer_unordered(REQUESTS).for_each(|(has_object, blob)| async move {
            let recorded = match has_object {
                Ok(false) if blob.lost_at.is_none() => self.mark_lost(&blob).await,
                Ok(true) if blob.lost_at.is_some() => self.mark_found(&blob).await,
                _ => Ok(()),
            };
            if let Err(error) = recorded {
                tracing::warn!(
                    error = chain(&error),
                    "the database could not be told whether the object of a blob exists"
                );
            }
        });
        if timeout(PATIENCE, checked).await.is_err() {
            tracing::warn!(account.id = %id, "the objects of account {id} could not all be checked in time");
        }
        Ok(())
    }
}
