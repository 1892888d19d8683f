//! Deleting uploads that no record refers to, and objects that uploads and deletions left in the blob store.

use std::time::SystemTime;

use pds_blobstore::BlobKey;
use pds_store::blob::{self, Swept};

use super::{Blobs, discard::UNREFERENCED};
use crate::{metrics::Metrics, report::chain};

/// Number of rows that are read at once.
const PAGE: u32 = 500;
/// After so many failures in a row the blob store or the database is taken for unavailable, and the sweep ends.
const GIVE_UP: usize = 50;

impl Blobs {
    /// Deletes uploads that no record refers to for a day, and what unfinished uploads left. Returns the number of blobs.
    ///
    /// Rows are deleted first, objects after: a key stays recorded until its object is gone, so no row is ever without bytes and no
    /// object is forgotten.
    ///
    /// # Errors
    /// When something could not be deleted. Everything else was, unless the blob store or the database is unavailable.
    pub async fn sweep(&self) -> anyhow::Result<usize> {
        let before = self.now_us() - i64::try_from(UNREFERENCED.as_micros())?;
        let (mut swept, mut failures, mut last) = (0, Failures::new(&self.parts().metrics), None);
        loop {
            let found = blob::sweepable(self.db(), before, last.as_ref(), PAGE).await?;
            for candidate in &found {
                match self.sweep_one(candidate, before).await {
                    Ok(deleted) => swept += usize::from(deleted),
                    Err(error) => failures.add("blob", &candidate.storage_key, &error)?,
                }
            }
            last = found.into_iter().next_back();
            if last.is_none() {
                break;
            }
        }
        self.delete_discarded(&mut failures).await?;
        self.store().sweep(SystemTime::now() - UNREFERENCED).await?;
        failures.result()?;
        Ok(swept)
    }

    async fn sweep_one(&self, candidate: &Swept, before: i64) -> anyhow::Result<bool> {
        let mut tx = self.db().begin().await?;
        let deleted = blob::delete_temporary(&mut tx, candidate.account_id, &candidate.cid, before).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    async fn delete_discarded(&self, failures: &mut Failures<'_>) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let keys = blob::discarded(self.db(), self.now_us(), &after, PAGE).await?;
            for key in &keys {
                match self.delete_object(key).await {
                    Ok(()) => failures.in_a_row = 0,
                    Err(error) => failures.add("object", key, &error)?,
                }
            }
            match keys.into_iter().next_back() {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    async fn delete_object(&self, key: &str) -> anyhow::Result<()> {
        self.store().delete(&key.parse::<BlobKey>()?).await?;
        let mut tx = self.db().begin().await?;
        blob::forget_discarded(&mut tx, key).await?;
        Ok(tx.commit().await?)
    }
}

/// What could not be deleted.
struct Failures<'a> {
    metrics: &'a Metrics,
    count: usize,
    /// Failures since the last success.
    in_a_row: usize,
    first: Option<String>,
}

impl<'a> Failures<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        Self { metrics, count: 0, in_a_row: 0, first: None }
    }

    /// Adds a failure, so that the sweep goes on with the next object.
    ///
    /// # Errors
    /// When nothing can be deleted.
    fn add(&mut self, what: &'static str, key: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        self.metrics.blob_not_deleted();
        let cause = chain(error.as_ref());
        tracing::warn!(key, error = cause, "the {what} {key} could not be deleted, it is left to the next sweep");
        self.count += 1;
        self.in_a_row += 1;
        let first = self.first.get_or_insert_with(|| format!("{what} {key}: {cause}"));
        anyhow::ensure!(
            self.in_a_row < GIVE_UP,
            "{} blobs or objects in a row could not be deleted, the first is {first}",
            self.in_a_row
        );
        Ok(())
    }

    fn result(self) -> anyhow::Result<()> {
        match self.first {
            None => Ok(()),
            Some(first) => {
                Err(anyhow::anyhow!("{} blobs or objects could not be deleted, the first is {first}", self.count))
            }
        }
    }
}
