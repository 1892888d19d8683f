//! Deleting what no record came to refer to, and what uploads and deletions left in the store.

use std::time::{Duration, SystemTime};

use pds_blobstore::BlobKey;
use pds_store::blob::{self, Swept};

use crate::{app::App, report::chain};

/// How long an upload may wait for a record that refers to it, and a broken one for somebody to notice.
pub(super) const UNREFERENCED: Duration = Duration::from_secs(24 * 60 * 60);
const PAGE: u32 = 500;
/// After so many failures without a success the blob store or the database is away: the next sweep goes on.
const GIVE_UP: usize = 50;

/// Deletes uploads that no record came to refer to, and what broken uploads left behind; how many blobs there were. Rows first,
/// bytes after: a key stays noted until its object is gone, so there is never a row without bytes, and no bytes are forgotten.
///
/// # Errors
/// When something could not be deleted. All the rest has been, unless the blob store or the database is away altogether.
pub async fn sweep(app: &App) -> anyhow::Result<usize> {
    let before = app.clock.now_us() - i64::try_from(UNREFERENCED.as_micros())?;
    let (mut swept, mut left, mut last) = (0, Left::default(), None);
    loop {
        let found = blob::sweepable(&app.db, before, last.as_ref(), PAGE).await?;
        for candidate in &found {
            match sweep_one(app, candidate, before).await {
                Ok(deleted) => swept += usize::from(deleted),
                Err(error) => left.note(app, "blob", &candidate.storage_key, &error)?,
            }
        }
        last = found.into_iter().next_back();
        if last.is_none() {
            break;
        }
    }
    empty_bin(app, &mut left).await?;
    app.blobs.sweep(SystemTime::now() - UNREFERENCED).await?;
    left.told()?;
    Ok(swept)
}

async fn sweep_one(app: &App, candidate: &Swept, before: i64) -> anyhow::Result<bool> {
    let mut tx = app.db.begin().await?;
    let deleted = blob::delete_temporary(&mut tx, candidate.account_id, &candidate.cid, before).await?;
    tx.commit().await?;
    Ok(deleted)
}

async fn empty_bin(app: &App, left: &mut Left) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let keys = blob::discarded(&app.db, app.clock.now_us(), &after, PAGE).await?;
        for key in &keys {
            match delete_discarded(app, key).await {
                Ok(()) => left.in_a_row = 0,
                Err(error) => left.note(app, "object", key, &error)?,
            }
        }
        match keys.into_iter().next_back() {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

async fn delete_discarded(app: &App, key: &str) -> anyhow::Result<()> {
    app.blobs.delete(&key.parse::<BlobKey>()?).await?;
    let mut tx = app.db.begin().await?;
    blob::forget_discarded(&mut tx, key).await?;
    Ok(tx.commit().await?)
}

/// What could not be deleted.
#[derive(Default)]
struct Left {
    count: usize,
    /// Without a success in between.
    in_a_row: usize,
    first: Option<String>,
}

impl Left {
    /// Goes on behind what cannot be deleted, until nothing can.
    fn note(&mut self, app: &App, what: &'static str, key: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        app.metrics.blob_not_deleted();
        let cause = chain(error.as_ref());
        tracing::warn!(key, error = cause, "the {what} {key} could not be deleted, it is left to the next sweep");
        self.count += 1;
        self.in_a_row += 1;
        let first = self.first.get_or_insert_with(|| format!("{what} {key}: {cause}"));
        anyhow::ensure!(
            self.in_a_row < GIVE_UP,
            "{} things in a row could not be deleted, the first is {first}",
            self.in_a_row
        );
        Ok(())
    }

    fn told(self) -> anyhow::Result<()> {
        match self.first {
            None => Ok(()),
            Some(first) => Err(anyhow::anyhow!("{} things could not be deleted, the first is {first}", self.count)),
        }
    }
}

/// Deletes an object that no row names; if the store is away, the next sweep does it.
pub(super) async fn drop_object(app: &App, key: &BlobKey) -> pds_store::Result<()> {
    let Err(error) = app.blobs.delete(key).await else { return Ok(()) };
    tracing::warn!(%key, error = chain(&error), "left an object to the next sweep");
    let mut tx = app.db.begin().await?;
    blob::discard(&mut tx, key.as_str(), app.clock.now_us()).await?;
    tx.commit().await
}
