//! Blobs whose objects are gone from the blob store: a disk that failed, a bucket that was restored from an older copy.
//!
//! A lost blob keeps its row and its references. It counts as missing until the same bytes are uploaded again, or the object is back.

use pds_repo::Cid;

use super::{Blob, Row, discard};
use crate::{
    AccountId, Error, Result, Source, Tx,
    column::{FullCid, full_bytes},
    source::{execute, on},
};

/// Records that the object of a blob is missing since `at`, in microseconds, unless an upload has replaced it meanwhile. Returns whether this was
/// not known before.
///
/// # Errors
/// When the database cannot be written.
pub async fn mark_lost(tx: &mut Tx, blob: &Blob, at: i64) -> Result<bool> {
    const SQL: &str =
        "update blob set lost_at = $4 where repo_id = $1 and cid = $2 and storage_key = $3 and lost_at is null";
    let changed = execute!(tx, SQL, blob.account_id.0, FullCid(blob.cid), &*blob.storage_key, at);
    Ok(changed.map_err(Error::during("mark as lost blob", blob.cid))? == 1)
}

/// Notes that a blob's object is there after all.
///
/// # Errors
/// When the database cannot be written.
pub async fn mark_found(tx: &mut Tx, blob: &Blob) -> Result<()> {
    const SQL: &str = "update blob set lost_at = null where repo_id = $1 and cid = $2 and storage_key = $3";
    execute!(tx, SQL, blob.account_id.0, FullCid(blob.cid), &*blob.storage_key)
        .map_err(Error::during("mark as found blob", blob.cid))?;
    Ok(())
}

/// Gives a blob the object of another upload of the same bytes, unless it has another one by now. The object before is noted as one to
/// be deleted. Says whether it did.
///
/// # Errors
/// When the database cannot be written.
pub async fn replace(tx: &mut Tx, blob: &Blob, storage_key: &str, at: i64) -> Result<bool> {
    const SQL: &str = "update blob set storage_key = $4, lost_at = null \
                       where repo_id = $1 and cid = $2 and storage_key = $3 and state <> 2";
    let changed = execute!(&mut *tx, SQL, blob.account_id.0, FullCid(blob.cid), &*blob.storage_key, storage_key)
        .map_err(Error::during("replace the object of blob", blob.cid))?;
    if changed == 1 {
        discard(tx, &blob.storage_key, at).await?;
    }
    Ok(changed == 1)
}

pub(crate) const PERMANENT: &str = "select repo_id, cid, mime, size, storage_key, state, created_at, takedown_ref, lost_at \
     from blob where repo_id = $1 and cid > $2 and state = 1 order by cid limit $3";

/// A page of the blobs that an account's records refer to and that were uploaded, in the order of their bytes.
///
/// # Errors
/// When the database cannot be read.
pub async fn permanent<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    after: Option<&Cid>,
    limit: u32,
) -> Result<Vec<Blob>> {
    let after = after.map_or_else(Vec::new, full_bytes);
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(PERMANENT)
        .bind(id.0)
        .bind(&*after)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list blobs of account", id))?;
    Ok(rows.into_iter().map(Blob::from).collect())
}

pub(crate) const ALL: &str = "select repo_id, cid, mime, size, storage_key, state, created_at, takedown_ref, lost_at \
     from blob where repo_id = $1 and cid > $2 order by cid limit $3";

/// A page of the blobs that an account uploaded, in whatever state, in the order of their bytes; `after` is the last CID of the page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn all<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    after: Option<&Cid>,
    limit: u32,
) -> Result<Vec<Blob>> {
    let after = after.map_or_else(Vec::new, full_bytes);
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(ALL)
        .bind(id.0)
        .bind(&*after)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list all blobs of account", id))?;
    Ok(rows.into_iter().map(Blob::from).collect())
}

/// How many blobs are lost now, of all accounts.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_lost<'a>(source: impl Into<Source<'a>>) -> Result<i64> {
    const SQL: &str = "select count(*) from blob where lost_at is not null";
    let (count,): (i64,) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("count", "lost blobs"))?;
    Ok(count)
}
