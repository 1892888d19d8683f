//! Deleting objects that no row of a blob refers to.

use std::time::Duration;

use pds_blobstore::BlobKey;
use pds_store::blob;

use super::Blobs;
use crate::report::chain;

/// How long an upload may wait for a record that refers to it, and an unfinished one for its end, before it is deleted.
pub(super) const UNREFERENCED: Duration = Duration::from_secs(24 * 60 * 60);

impl Blobs {
    /// Deletes an object now. If the blob store fails, the next sweep deletes it.
    ///
    /// # Errors
    /// When the blob store fails and the database cannot be written: the object stays.
    pub(super) async fn discard(&self, key: &BlobKey) -> pds_store::Result<()> {
        let Err(error) = self.store().delete(key).await else { return Ok(()) };
        tracing::warn!(%key, error = chain(&error), "the object {key} could not be deleted, it is left to the next sweep");
        let mut tx = self.db().begin().await?;
        blob::discard(&mut tx, key.as_str(), self.now_us()).await?;
        tx.commit().await
    }

    /// Lets a sweep delete an object once its upload has certainly ended, unless a row was written for it before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) async fn discard_later(&self, key: &BlobKey) -> pds_store::Result<()> {
        let wait = i64::try_from(UNREFERENCED.as_micros()).unwrap_or(i64::MAX);
        let mut tx = self.db().begin().await?;
        blob::discard(&mut tx, key.as_str(), self.now_us().saturating_add(wait)).await?;
        tx.commit().await
    }
}
