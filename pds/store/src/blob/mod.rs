//! Blobs: what was uploaded, where its bytes lie, and whether a record refers to it.
//!
//! An upload is *temporary*; a commit whose record refers to it makes it *permanent*; the commit that removes the last
//! reference makes it temporary again. Only permanent blobs are served. A blob that stays temporary is swept (`sweep`).
//! The bytes themselves are in the blob store under `storage_key`; this module never touches them.

mod sweep;

use pds_repo::Cid;
use pds_syntax::Tid;

use crate::{
    AccountId, Error, Result, Source, Tx,
    column::{FullCid, full_bytes},
    source::{execute, on},
};

pub(crate) use sweep::SWEEPABLE;
pub use sweep::{Swept, delete_temporary, sweepable};

/// Where a blob is in its life.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Uploaded, but no record refers to it.
    Temporary,
    /// A record refers to it.
    Permanent,
    /// Withdrawn by the host: not served, not to be referred to, not to be uploaded again.
    TakenDown,
}

/// A blob's row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blob {
    /// Whose upload; the same bytes of two accounts are two blobs.
    pub account_id: AccountId,
    /// Of the bytes.
    pub cid: Cid,
    /// As it is served.
    pub mime: String,
    /// In bytes.
    pub size: u64,
    /// The key in the blob store.
    pub storage_key: String,
    /// Temporary, permanent or taken down.
    pub state: State,
    /// First upload; microseconds.
    pub created_at: i64,
}

/// A finished upload.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// Whose upload.
    pub account_id: AccountId,
    /// Of the bytes.
    pub cid: Cid,
    /// As it is to be served.
    pub mime: &'a str,
    /// In bytes.
    pub size: u64,
    /// Where the bytes were written.
    pub storage_key: &'a str,
    /// Now; microseconds.
    pub at: i64,
}

/// What an upload led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The blob is new and its bytes are those of this upload.
    New,
    /// The account had it already: the bytes just written are a twin to be deleted from the blob store.
    Known(Blob),
    /// It was taken down: the upload is refused, the bytes just written are to be deleted.
    TakenDown,
}

impl State {
    /// As the migration lists them; a check constraint sees to it that there is no fourth.
    pub(crate) fn from_column(value: i16) -> Self {
        match value {
            0 => Self::Temporary,
            1 => Self::Permanent,
            _ => Self::TakenDown,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    repo_id: i64,
    cid: FullCid,
    mime: String,
    size: i64,
    storage_key: String,
    state: i16,
    created_at: i64,
}

impl From<Row> for Blob {
    fn from(row: Row) -> Self {
        Self {
            account_id: AccountId(row.repo_id),
            cid: row.cid.0,
            mime: row.mime,
            size: row.size.max(0).unsigned_abs(),
            storage_key: row.storage_key,
            state: State::from_column(row.state),
            created_at: row.created_at,
        }
    }
}

/// Notes an upload. One of bytes that are known begins the sweeper's time anew.
///
/// # Errors
/// When the database cannot be written.
pub async fn record(tx: &mut Tx, upload: &Upload<'_>) -> Result<Recorded> {
    const SQL: &str = "insert into blob (repo_id, cid, mime, size, storage_key, state, created_at, temporary_since) \
                       values ($1, $2, $3, $4, $5, 0, $6, $6) \
                       on conflict (repo_id, cid) do update set temporary_since = excluded.temporary_since \
                       returning repo_id, cid, mime, size, storage_key, state, created_at";
    let row: Row = on!(tx, conn => sqlx::query_as(SQL)
        .bind(upload.account_id.0)
        .bind(FullCid(upload.cid))
        .bind(upload.mime)
        .bind(i64::try_from(upload.size).unwrap_or(i64::MAX))
        .bind(upload.storage_key)
        .bind(upload.at)
        .fetch_one(conn))
    .map_err(Error::during("record upload of", upload.cid))?;
    let blob = Blob::from(row);
    Ok(if blob.state == State::TakenDown {
        Recorded::TakenDown
    } else if blob.storage_key == upload.storage_key {
        Recorded::New
    } else {
        Recorded::Known(blob)
    })
}

pub(crate) const GET: &str = "select repo_id, cid, mime, size, storage_key, state, created_at from blob \
                              where repo_id = $1 and cid = $2";

/// An account's blob in whatever state. Serve it only if permanent.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, id: AccountId, cid: &Cid) -> Result<Option<Blob>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(GET).bind(id.0).bind(FullCid(*cid)).fetch_optional(conn))
        .map_err(Error::during("read blob", cid))?;
    Ok(row.map(Blob::from))
}

pub(crate) const LIST: &str = "select distinct blob_cid from record_blob where repo_id = $1 and blob_cid > $2 \
                               order by blob_cid limit $3";
pub(crate) const LIST_SINCE: &str = "select distinct l.blob_cid from record_blob l \
     join record r on r.repo_id = l.repo_id and r.path = l.path \
     where l.repo_id = $1 and l.blob_cid > $2 and r.rev > $4 order by l.blob_cid limit $3";

/// A page of the blobs that an account's records refer to, in the order of their bytes; with `since`, only records
/// written after that revision count. `after` is the last CID of the page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn list<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    since: Option<Tid>,
    after: Option<&Cid>,
    limit: u32,
) -> Result<Vec<Cid>> {
    let after = after.map_or_else(Vec::new, full_bytes);
    let limit = i64::from(limit);
    let rows: Vec<(FullCid,)> = match since.map(|rev| rev.to_string()) {
        None => on!(source, conn => sqlx::query_as(LIST).bind(id.0).bind(&*after).bind(limit).fetch_all(conn)),
        Some(since) => on!(source, conn => sqlx::query_as(LIST_SINCE)
            .bind(id.0)
            .bind(&*after)
            .bind(limit)
            .bind(&*since)
            .fetch_all(conn)),
    }
    .map_err(Error::during("list blobs of account", id))?;
    Ok(rows.into_iter().map(|(cid,)| cid.0).collect())
}

/// Withdraws a blob, or gives it back the state that its references call for. Says whether there is such a blob.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_taken_down(tx: &mut Tx, id: AccountId, cid: &Cid, taken_down: bool) -> Result<bool> {
    const DOWN: &str = "update blob set state = 2 where repo_id = $1 and cid = $2";
    const UP: &str = "update blob set state = case when exists (select 1 from record_blob l \
                      where l.repo_id = $1 and l.blob_cid = $2) then 1 else 0 end \
                      where repo_id = $1 and cid = $2 and state = 2";
    let sql = if taken_down { DOWN } else { UP };
    let changed = execute!(tx, sql, id.0, FullCid(*cid)).map_err(Error::during("set takedown of blob", cid))?;
    Ok(changed == 1)
}
