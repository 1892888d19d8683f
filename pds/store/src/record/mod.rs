//! Records: read by path, in pages, or all of a repository in order. Written by [`crate::commit`], and hidden here.
//! What everybody may read comes together with its account ([`find`], [`list`]).
//!
//! A path (`collection/rkey`) is one text compared bytewise, which is the order of the repository's tree. Splitting it
//! would sort differently: `.` and `-` come before `/`.

mod public;

use bytes::Bytes;
use pds_repo::Cid;
use pds_syntax::{Nsid, RepoPath, Tid};

use crate::{
    AccountId, Error, Result, Source, Tx,
    column::{Digest, Text},
    dialect::postgres::in_time,
    meter::here,
    row::row,
    source::{Connection, execute, on},
};

pub(crate) use public::{
    ACCOUNT_SQLITE, ASCENDING_SQLITE, DESCENDING_SQLITE, FIND, LONG_ASCENDING_POSTGRES, LONG_DESCENDING_POSTGRES,
    SHORT_ASCENDING_POSTGRES, SHORT_DESCENDING_POSTGRES,
};
pub use public::{OfRepo, PAGE_BYTES, Page, find, list};

/// A stored record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Collection and key.
    pub path: RepoPath,
    /// CID of the body.
    pub cid: Cid,
    /// The record as DAG-CBOR.
    pub body: Bytes,
}

/// Only records up to the repository's head: those above it are an import's, which is not finished.
macro_rules! stored {
    ($select:literal) => {
        stored!($select, "")
    };
    ($select:literal, $order:literal) => {
        concat!($select, " and rev <= (select h.rev from repo h where h.account_id = $1)", $order)
    };
}
pub(crate) use stored;

row! {
    pub(crate) struct RecordRow {
        path: Text<RepoPath>,
        cid: Digest,
        body: Vec<u8>,
    }
}

impl From<RecordRow> for Record {
    fn from(row: RecordRow) -> Self {
        Self { path: row.path.0, cid: row.cid.0, body: row.body.into() }
    }
}

pub(crate) const GET: &str = stored!("select path, cid, body from record where repo_id = $1 and path = $2");
pub(crate) const VISIBLE: &str =
    stored!("select path, cid, body from record where repo_id = $1 and path = $2 and takedown_ref is null");
/// Lengths are added before any body is read.
pub(crate) const SAME_SUBJECT: &str = "select r.path, r.cid, r.body from (select path, sum(bytes) over (order by path \
     rows between unbounded preceding and 1 preceding) as earlier from (select path, length(body) as bytes from record \
     where repo_id = $1 and subject_hash = $2 and path > $3 and path < $4 order by path limit $5) as found) as sized \
     join record r on r.repo_id = $1 and r.path = sized.path where coalesce(sized.earlier, 0) < $6 order by r.path";
/// Records about one subject that are read at once: more than one commit can delete, and more bytes than so many likes or follows have.
const MAX_OF_A_SUBJECT: i64 = 250;
const MAX_BYTES_OF_A_SUBJECT: i64 = 1 << 20;
/// Maximum number of collections that [`collections`] lists.
const MAX_COLLECTIONS: i64 = 5_000;

/// Jumps from each collection's first path to the next collection's: one index look-up per collection, however many
/// records there are. `'0'` is the byte after `'/'`, so `collection || '0'` is beyond all of its paths.
macro_rules! collections {
    ($collection_of_path:literal, $stored:literal) => {
        concat!(
            "with recursive hop(path) as (select min(path) from record where repo_id = $1",
            $stored,
            " union all ",
            "select (select min(path) from record where repo_id = $1 and path >= ",
            $collection_of_path,
            " || '0'",
            $stored,
            ") from hop where path is not null) select ",
            $collection_of_path,
            " from hop where path is not null limit $2"
        )
    };
}
pub(crate) const COLLECTIONS_SQLITE: &str = collections!(
    "substr(hop.path, 1, instr(hop.path, '/') - 1)",
    " and rev <= (select h.rev from repo h where h.account_id = $1)"
);
pub(crate) const COLLECTIONS_POSTGRES: &str =
    collections!("split_part(hop.path, '/', 1)", " and rev <= (select h.rev from repo h where h.account_id = $1)");

/// The record at a path, whether or not it was taken down: it stays part of its repository.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, id: AccountId, path: &RepoPath) -> Result<Option<Record>> {
    one(source, GET, id, path).await
}

/// The record at a path, unless it was taken down.
///
/// # Errors
/// When the database cannot be read.
pub async fn visible<'a>(source: impl Into<Source<'a>>, id: AccountId, path: &RepoPath) -> Result<Option<Record>> {
    one(source, VISIBLE, id, path).await
}

async fn one<'a>(
    source: impl Into<Source<'a>>,
    sql: &'static str,
    id: AccountId,
    path: &RepoPath,
) -> Result<Option<Record>> {
    let row: Option<RecordRow> =
        on!(source, conn => sqlx::query_as(sql).bind(id.0).bind(path.as_str()).fetch_optional(conn))
            .map_err(Error::during("read record", format_args!("{path} of account {id}")))?;
    Ok(row.map(Record::from))
}

/// A record's CID and, if it was taken down, the moderation decision's reference.
///
/// # Errors
/// When the database cannot be read.
pub async fn takedown<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    path: &RepoPath,
) -> Result<Option<(Cid, Option<String>)>> {
    const SQL: &str = "select cid, takedown_ref from record where repo_id = $1 and path = $2";
    let row: Option<(Digest, Option<String>)> =
        on!(source, conn => sqlx::query_as(SQL).bind(id.0).bind(path.as_str()).fetch_optional(conn))
            .map_err(Error::during("read takedown of record", format_args!("{path} of account {id}")))?;
    Ok(row.map(|(cid, reference)| (cid.0, reference)))
}

/// Hides a record under a reference, or shows it again (`None`). An update does not bring it back, deleting it forgets this.
/// Says whether there is such a record.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_takedown(tx: &mut Tx, id: AccountId, path: &RepoPath, reference: Option<&str>) -> Result<bool> {
    const SQL: &str = "update record set takedown_ref = $3 where repo_id = $1 and path = $2";
    let changed = execute!(tx, SQL, id.0, path.as_str(), reference)
        .map_err(Error::during("set takedown of record", format_args!("{path} of account {id}")))?;
    Ok(changed == 1)
}

/// The collections that have records, in order.
///
/// # Errors
/// When the database cannot be read.
pub async fn collections<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Vec<Nsid>> {
    let source = source.into();
    let meter = source.meter();
    let names: Vec<(Text<Nsid>,)> = match source.connection().await {
        Ok(Connection::Sqlite(mut held)) => {
            let query = sqlx::query_as(COLLECTIONS_SQLITE).bind(id.0).bind(MAX_COLLECTIONS);
            meter.run(here!(), query.fetch_all(&mut *held)).await
        }
        Ok(Connection::Postgres(mut held)) => {
            let query = sqlx::query_as(COLLECTIONS_POSTGRES).bind(id.0).bind(MAX_COLLECTIONS);
            meter.run(here!(), in_time(query.fetch_all(&mut *held))).await
        }
        Err(error) => Err(error),
    }
    .map_err(Error::during("list collections of account", id))?;
    Ok(names.into_iter().map(|(name,)| name.0).collect())
}

/// The first records of a collection whose subjects have this hash ([`subject_hash`]): as many as one commit could delete, and about 1 MiB of
/// them. The caller compares the subjects.
///
/// # Errors
/// When the database cannot be read.
pub async fn same_subject<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    collection: &Nsid,
    subject_hash: i64,
) -> Result<Vec<Record>> {
    let (above, below) = bounds(collection);
    let rows: Vec<RecordRow> = on!(source, conn => sqlx::query_as(SAME_SUBJECT)
        .bind(id.0)
        .bind(subject_hash)
        .bind(&*above)
        .bind(&*below)
        .bind(MAX_OF_A_SUBJECT)
        .bind(MAX_BYTES_OF_A_SUBJECT)
        .fetch_all(conn))
    .map_err(Error::during("look up the subject in", format_args!("{collection} of account {id}")))?;
    Ok(rows.into_iter().map(Record::from).collect())
}

/// A record and the revision that wrote it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// As it is now.
    pub record: Record,
    /// When it was written last.
    pub rev: Tid,
}

row! {
    struct WrittenRow {
        path: Text<RepoPath>,
        cid: Digest,
        body: Vec<u8>,
        rev: Text<Tid>,
    }
}

/// Records with the greatest keys that are looked at, so that the cost does not grow with the collection: it has no index by revision, which each
/// write would have to maintain.
const NEWEST: i64 = 50;
pub(crate) const WRITTEN_SINCE: &str = stored!(
    "select path, cid, body, rev from (select path, cid, case when octet_length(body) <= $7 then body end as body, rev from record \
     where repo_id = $1 and path > $2 and path < $3 and takedown_ref is null order by path desc limit $6) as newest \
     where rev > $4 and body is not null",
    " order by rev, path limit $5"
);

/// The first `limit` records that were written after `rev`, among the 50 records of a collection with the greatest keys, without what was taken
/// down and without records of more than `most_bytes`. Keys grow with time in the collections that clients write to.
///
/// # Errors
/// When the database cannot be read.
pub async fn written_since<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    collection: &Nsid,
    rev: Tid,
    limit: u32,
    most_bytes: usize,
) -> Result<Vec<Written>> {
    let (above, below) = bounds(collection);
    let rows: Vec<WrittenRow> = on!(source, conn => sqlx::query_as(WRITTEN_SINCE)
        .bind(id.0)
        .bind(&*above)
        .bind(&*below)
        .bind(rev.to_string())
        .bind(i64::from(limit))
        .bind(NEWEST)
        .bind(i64::try_from(most_bytes).unwrap_or(i64::MAX))
        .fetch_all(conn))
    .map_err(Error::during("list new records", format_args!("{collection} of account {id}")))?;
    let written = |row: WrittenRow| Written {
        record: Record { path: row.path.0, cid: row.cid.0, body: row.body.into() },
        rev: row.rev.0,
    };
    Ok(rows.into_iter().map(written).collect())
}

/// Records that are looked at for an older one.
const SAMPLE: i64 = 1_000;
pub(crate) const IS_ANY_OLDER: &str = "select count(*) from (select 1 as one from (select rev from record where repo_id = $1 \
     order by path limit $3) as first where rev <= $2 limit 1) as found";

/// Whether one of the first 1,000 records was written at `rev` or before. If not, the repository came here later, as a whole.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_any_older<'a>(source: impl Into<Source<'a>>, id: AccountId, rev: Tid) -> Result<bool> {
    let (found,): (i64,) = on!(source, conn => sqlx::query_as(IS_ANY_OLDER)
        .bind(id.0)
        .bind(rev.to_string())
        .bind(SAMPLE)
        .fetch_one(conn))
    .map_err(Error::during("look for old records of account", id))?;
    Ok(found > 0)
}

/// What is stored of a record's subject (the URI or DID it likes, reposts, follows or blocks): 64 bits of its SHA-256.
///
/// It finds records; whether two of them are about one subject is decided by comparing the subjects.
#[must_use]
pub fn subject_hash(subject: &str) -> i64 {
    let digest = *Cid::raw(subject.as_bytes()).digest();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The exclusive ends of a collection's paths: all that begin with `collection/`.
fn bounds(collection: &Nsid) -> (String, String) {
    (format!("{collection}/"), format!("{collection}0"))
}
