//! Blobs: what was uploaded, where its bytes lie, and whether a record refers to it.
//!
//! An upload is *temporary*; a commit whose record refers to it makes it *permanent*; the commit that removes the last
//! reference makes it temporary again. Only permanent blobs are served. A blob that stays temporary is swept (`sweep`).
//! Records that came with a whole repository may refer to blobs that are still to be uploaded (`missing`).
//! The bytes themselves are in the blob store under `storage_key`; this module never touches them.

mod garbage;
mod lost;
mod missing;
mod sweep;

use pds_repo::Cid;
use pds_syntax::{RepoPath, Tid};

use crate::{
    AccountId, Db, Dialect, Error, Result, Source, Tx, account,
    column::{FullCid, Text, full_bytes},
    list::{self, with_list},
    row::row,
    source::{execute, on},
    usage,
};

pub use garbage::{discard, discarded, forget_discarded};
pub(crate) use lost::{ALL, PERMANENT};
pub use lost::{all, count_lost, mark_found, mark_lost, permanent, replace};
pub(crate) use missing::{ANY_MISSING, MISSING, NEVER_UPLOADED};
pub use missing::{Missing, adopt, any_missing, missing, never_uploaded};
pub(crate) use sweep::SWEEPABLE;
pub use sweep::{Swept, delete_temporary, sweepable};

/// Whether records refer to a blob, and whether it may be read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Uploaded, but no record refers to it.
    Temporary,
    /// A record refers to it.
    Permanent,
    /// Withdrawn by the host: not served, not to be referred to, not to be uploaded again.
    TakenDown,
}

/// A stored blob.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blob {
    /// The account that uploaded it. The same bytes of two accounts are two blobs.
    pub account_id: AccountId,
    /// CID of the bytes.
    pub cid: Cid,
    /// The media type with which it is served.
    pub mime: String,
    /// In bytes.
    pub size: u64,
    /// The key in the blob store.
    pub storage_key: String,
    /// Whether it may be read.
    pub state: State,
    /// When it was first uploaded; microseconds.
    pub created_at: i64,
    /// Reference to the decision by which it is taken down.
    pub takedown_ref: Option<String>,
    /// When its object was found to be missing; microseconds.
    pub lost_at: Option<i64>,
}

/// A finished upload.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// The account.
    pub account_id: AccountId,
    /// CID of the bytes.
    pub cid: Cid,
    /// The media type with which it is to be served.
    pub mime: &'a str,
    /// In bytes.
    pub size: u64,
    /// The key in the blob store.
    pub storage_key: &'a str,
    /// Now; microseconds.
    pub at: i64,
    /// Maximum size of all records and blobs of the account, with this one; in bytes. Records that are not counted count as none: ask
    /// [`counted`](crate::usage::counted) before.
    pub quota: Option<u64>,
}

/// The result of recording an upload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The blob is new and its bytes are those of this upload.
    New {
        /// A record waited for it.
        awaited: bool,
    },
    /// The account had it already: the bytes just written are a twin to be deleted from the blob store.
    Known(Blob),
    /// It was taken down: the upload is refused, the bytes just written are to be deleted.
    TakenDown,
    /// With it the account would have more than its quota: the transaction can only be rolled back, and the bytes just
    /// written are to be deleted.
    OverQuota {
        /// Bytes that the account's records and blobs have without it.
        used: u64,
    },
}

impl State {
    /// The numbers of the migration; a check constraint allows no others.
    pub(crate) fn from_column(value: i16) -> Self {
        match value {
            0 => Self::Temporary,
            1 => Self::Permanent,
            _ => Self::TakenDown,
        }
    }
}

row! {
    struct Row {
        repo_id: i64,
        cid: FullCid,
        mime: String,
        size: i64,
        storage_key: String,
        state: i16,
        created_at: i64,
        takedown_ref: Option<String>,
        lost_at: Option<i64>,
    }
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
            takedown_ref: row.takedown_ref,
            lost_at: row.lost_at,
        }
    }
}

/// Records an upload. An upload of a known blob restarts the time after which the sweeper deletes it; a blob that a record refers to is
/// permanent at once. With a quota, uploads to one account take turns, so that no two of them fit where only one does.
///
/// # Errors
/// When the database cannot be written.
pub async fn record(tx: &mut Tx, upload: &Upload<'_>) -> Result<Recorded> {
    const SQL: &str = "insert into blob (repo_id, cid, mime, size, storage_key, state, created_at, temporary_since) \
                       values ($1, $2, $3, $4, $5, case when exists (select 1 from record_blob l \
                         where l.repo_id = $1 and l.blob_cid = $2) then 1 else 0 end, $6, $6) \
                       on conflict (repo_id, cid) do update set temporary_since = excluded.temporary_since \
                       returning repo_id, cid, mime, size, storage_key, state, created_at, takedown_ref, lost_at";
    if upload.quota.is_some() {
        account::lock(tx, upload.account_id).await?;
    }
    let row: Row = on!(&mut *tx, conn => sqlx::query_as(SQL)
        .bind(upload.account_id.0)
        .bind(FullCid(upload.cid))
        .bind(upload.mime)
        .bind(i64::try_from(upload.size).unwrap_or(i64::MAX))
        .bind(upload.storage_key)
        .bind(upload.at)
        .fetch_one(conn))
    .map_err(Error::during("record upload of", upload.cid))?;
    let blob = Blob::from(row);
    if blob.storage_key == upload.storage_key
        && let Some(quota) = upload.quota
    {
        let used = usage::get(tx, upload.account_id).await?.bytes();
        if used > quota {
            return Ok(Recorded::OverQuota { used: used - upload.size });
        }
    }
    Ok(if blob.state == State::TakenDown {
        Recorded::TakenDown
    } else if blob.storage_key == upload.storage_key {
        Recorded::New { awaited: blob.state == State::Permanent }
    } else {
        Recorded::Known(blob)
    })
}

pub(crate) const GET: &str = "select repo_id, cid, mime, size, storage_key, state, created_at, takedown_ref, lost_at from blob \
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

/// Triggers keep the sum up to date.
pub(crate) const USED: &str = "select bytes from blob_usage where account_id = $1";

/// Bytes of all blobs of an account, those included that no record refers to yet. What was taken down does not count: its
/// owner cannot delete it.
///
/// # Errors
/// When the database cannot be read.
pub async fn used_bytes<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<u64> {
    let row: Option<(i64,)> = on!(source, conn => sqlx::query_as(USED).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read the usage of account", id))?;
    Ok(row.map_or(0, |(bytes,)| bytes.max(0).unsigned_abs()))
}

/// Jumps from each blob that records refer to to the next one: one index look-up per blob, however many records refer to it.
macro_rules! referred {
    ($after:literal, $select:literal) => {
        concat!(
            "with recursive referred(cid) as (select (select blob_cid from record_blob where repo_id = $1",
            $after,
            " order by blob_cid limit 1) union all select (select l.blob_cid from record_blob l where l.repo_id = $1 \
             and l.blob_cid > referred.cid order by l.blob_cid limit 1) from referred where referred.cid is not null) ",
            $select
        )
    };
}
pub(crate) use referred;

pub(crate) const COUNT: &str = "select blobs from blob_usage where account_id = $1";

/// Number of blobs of an account whose bytes are there. Triggers keep it up to date.
///
/// # Errors
/// When the database cannot be read.
pub async fn count<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<u64> {
    let row: Option<(i64,)> = on!(source, conn => sqlx::query_as(COUNT).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("count blobs of account", id))?;
    Ok(row.map_or(0, |(blobs,)| blobs.max(0).unsigned_abs()))
}

pub(crate) const EXPECTED: &str = referred!("", "select count(cid) from referred");

/// Number of blobs that an account's records refer to. One index look-up for each.
///
/// # Errors
/// When the database cannot be read.
pub async fn expected<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<u64> {
    let (blobs,): (i64,) = on!(source, conn => sqlx::query_as(EXPECTED).bind(id.0).fetch_one(conn))
        .map_err(Error::during("count references to blobs of account", id))?;
    Ok(blobs.max(0).unsigned_abs())
}

pub(crate) const REFERENCES: &str =
    "select path from record_blob where repo_id = $1 and blob_cid = $2 order by path limit $3";

/// The first of the records that refer to a blob, in the order of their paths.
///
/// # Errors
/// When the database cannot be read.
pub async fn references<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    cid: &Cid,
    limit: u32,
) -> Result<Vec<RepoPath>> {
    let rows: Vec<(Text<RepoPath>,)> = on!(source, conn => sqlx::query_as(REFERENCES)
        .bind(id.0)
        .bind(FullCid(*cid))
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list references to blob", cid))?;
    Ok(rows.into_iter().map(|(path,)| path.0).collect())
}

/// Counts the references of the records at the listed paths.
pub(crate) fn referred_by_sql(dialect: Dialect) -> &'static str {
    with_list!(dialect, "select count(*) from record_blob l where l.repo_id = $1 and l.path", LIST, "")
}

/// Number of references to blobs that the records at `paths` have together. A blob counts once for each record that refers to it.
///
/// # Errors
/// When the database cannot be read.
pub async fn referred_by<'a>(db: &Db, id: AccountId, paths: impl IntoIterator<Item = &'a RepoPath>) -> Result<u64> {
    let (sql, paths) = (referred_by_sql(db.dialect()), list::paths(paths));
    let (references,): (i64,) = on!(db, conn => sqlx::query_as(sql).bind(id.0).bind(&*paths).fetch_one(conn))
        .map_err(Error::during("count references of records of account", id))?;
    Ok(references.max(0).unsigned_abs())
}

pub(crate) const LIST: &str =
    referred!(" and blob_cid > $2", "select cid from referred where cid is not null limit $3");
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

/// Withdraws a blob under a reference, or (`None`) gives it back the state that its references call for. Says whether there
/// is such a blob.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_takedown(tx: &mut Tx, id: AccountId, cid: &Cid, reference: Option<&str>, at: i64) -> Result<bool> {
    const DOWN: &str = "update blob set state = 2, takedown_ref = $3 where repo_id = $1 and cid = $2";
    // Its time as a temporary blob begins anew: the sweeper is not to be faster than its owner.
    const UP: &str = "update blob set takedown_ref = null, \
                      temporary_since = case when state = 2 then $3 else temporary_since end, \
                      state = case when state <> 2 then state \
                      when exists (select 1 from record_blob l where l.repo_id = $1 and l.blob_cid = $2) then 1 else 0 end \
                      where repo_id = $1 and cid = $2";
    let changed = match reference {
        Some(reference) => execute!(tx, DOWN, id.0, FullCid(*cid), reference),
        None => execute!(tx, UP, id.0, FullCid(*cid), at),
    };
    Ok(changed.map_err(Error::during("set takedown of blob", cid))? == 1)
}
