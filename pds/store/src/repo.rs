//! Repository heads: the one row per account that every commit compares and swaps.

use bytes::Bytes;
use pds_repo::{Cid, Head};
use pds_syntax::{Did, Tid};

use crate::{
    AccountId, Error, Result, Source, Tx,
    account::{Status, status_columns, status_row},
    column::{Digest, Text, digest_bytes},
    row::row,
    source::{execute, on},
};

/// A repository's head with the signed commit itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Root {
    /// Revision and CIDs.
    pub head: Head,
    /// The signed commit block, whose CID is `head.commit`.
    pub commit_bytes: Bytes,
    /// How many records the repository has.
    pub record_count: u64,
}

/// What is needed to write to a repository.
#[derive(Clone)]
pub struct Loaded {
    /// The account's key, which is the repository's too.
    pub account_id: AccountId,
    /// The account's state, as it decides about commits.
    pub status: Status,
    /// The sealed signing key.
    pub signing_key: Vec<u8>,
    /// `None` while the account is reserved.
    pub root: Option<Root>,
}

/// A repository in the list of all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Key, and the page cursor.
    pub account_id: AccountId,
    /// The account's DID.
    pub did: Did,
    /// The account's state; never [`Status::Creating`] or [`Status::Deleted`].
    pub status: Status,
    /// Current revision.
    pub rev: Tid,
    /// CID of the current commit.
    pub commit: Cid,
}

row! {
    pub(crate) struct RootRow {
        rev: Text<Tid>,
        commit_cid: Digest,
        data_cid: Digest,
        commit_bytes: Vec<u8>,
        record_count: i64,
    }
}

impl From<RootRow> for Root {
    fn from(row: RootRow) -> Self {
        Self {
            head: Head { rev: row.rev.0, commit: row.commit_cid.0, data: row.data_cid.0 },
            commit_bytes: row.commit_bytes.into(),
            record_count: row.record_count.max(0).unsigned_abs(),
        }
    }
}

/// Gives an account its repository. Its first records, if any, come with the first [`crate::commit`].
///
/// # Errors
/// When the database cannot be written, or the account has a repository.
pub async fn create(tx: &mut Tx, id: AccountId, head: &Head, commit_bytes: &[u8]) -> Result<()> {
    const SQL: &str = "insert into repo \
                       (account_id, rev, commit_cid, data_cid, commit_bytes, record_count, record_bytes, bytes_rev) \
                       values ($1, $2, $3, $4, $5, 0, 0, $2)";
    let rev = head.rev.to_string();
    execute!(tx, SQL, id.0, &*rev, digest_bytes(&head.commit), digest_bytes(&head.data), commit_bytes)
        .map_err(Error::during("create repository of account", id))?;
    Ok(())
}

/// Moves the head from `expect_rev` to a commit over the same records, which another key signed. Returns `false` if the head is another one, or
/// the repository is being imported.
///
/// # Errors
/// When the database cannot be written.
pub async fn resign(tx: &mut Tx, id: AccountId, expect_rev: Tid, head: &Head, commit_bytes: &[u8]) -> Result<bool> {
    const SQL: &str = "update repo set rev = $3, commit_cid = $4, commit_bytes = $5, \
                       bytes_rev = case when bytes_rev = $2 then $3 end \
                       where account_id = $1 and rev = $2 and data_cid = $6 and import_token is null";
    let (expected, rev) = (expect_rev.to_string(), head.rev.to_string());
    let (commit, data) = (digest_bytes(&head.commit), digest_bytes(&head.data));
    let changed = execute!(tx, SQL, id.0, &*expected, &*rev, commit, commit_bytes, data)
        .map_err(Error::during("sign head of account", id))?;
    Ok(changed == 1)
}

pub(crate) const ROOT: &str =
    "select rev, commit_cid, data_cid, commit_bytes, record_count from repo where account_id = $1";

/// The current head with its commit.
///
/// # Errors
/// When the database cannot be read.
pub async fn root<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Root>> {
    let row: Option<RootRow> = on!(source, conn => sqlx::query_as(ROOT).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read head of account", id))?;
    Ok(row.map(Root::from))
}

pub(crate) const REV: &str = "select rev from repo where account_id = $1";

/// The current revision.
///
/// # Errors
/// When the database cannot be read.
pub async fn rev<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Tid>> {
    let row: Option<(Text<Tid>,)> = on!(source, conn => sqlx::query_as(REV).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read revision of account", id))?;
    Ok(row.map(|(rev,)| rev.0))
}

pub(crate) const KEY: &str = "select signing_key from account where id = $1";

/// The sealed signing key.
///
/// # Errors
/// When the database cannot be read.
pub async fn key<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = on!(source, conn => sqlx::query_as(KEY).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read signing key of account", id))?;
    Ok(row.map(|(key,)| key))
}

pub(crate) const LOAD: &str = concat!(
    "select a.id, a.signing_key, ",
    status_columns!("a."),
    ", r.rev, r.commit_cid, r.data_cid, r.commit_bytes, r.record_count \
     from account a left join repo r on r.account_id = a.id where a.did = $1"
);

status_row! {
    pub(crate) struct LoadedRow {
        id: i64,
        signing_key: Vec<u8>,
        ..status,
        rev: Option<Text<Tid>>,
        commit_cid: Option<Digest>,
        data_cid: Option<Digest>,
        commit_bytes: Option<Vec<u8>>,
        record_count: Option<i64>,
    }
}

impl From<LoadedRow> for Loaded {
    fn from(row: LoadedRow) -> Self {
        let status = row.causes().status();
        let root = match (row.rev, row.commit_cid, row.data_cid, row.commit_bytes, row.record_count) {
            (Some(rev), Some(commit_cid), Some(data_cid), Some(commit_bytes), Some(record_count)) => {
                Some(Root::from(RootRow { rev, commit_cid, data_cid, commit_bytes, record_count }))
            }
            _ => None,
        };
        Self { account_id: AccountId(row.id), status, signing_key: row.signing_key, root }
    }
}

/// Everything that writing to a repository needs, in one statement.
///
/// # Errors
/// When the database cannot be read.
pub async fn load<'a>(source: impl Into<Source<'a>>, did: &Did) -> Result<Option<Loaded>> {
    let row: Option<LoadedRow> = on!(source, conn => sqlx::query_as(LOAD).bind(did.as_str()).fetch_optional(conn))
        .map_err(Error::during("load repository", did))?;
    Ok(row.map(Loaded::from))
}

pub(crate) const LIST: &str = concat!(
    "select a.id, a.did, ",
    status_columns!("a."),
    ", r.rev, r.commit_cid from account a join repo r on r.account_id = a.id \
     where a.id > $1 and a.activated_at is not null and a.deleted_at is null order by a.id limit $2"
);

status_row! {
    struct ListedRow {
        id: i64,
        did: Text<Did>,
        ..status,
        rev: Text<Tid>,
        commit_cid: Digest,
    }
}

/// A page of repositories in the order of [`AccountId`], which never changes, in their states at `now` (microseconds); `after` is the last key of the
/// page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn list<'a>(
    source: impl Into<Source<'a>>,
    after: Option<AccountId>,
    limit: u32,
    now: i64,
) -> Result<Vec<Listed>> {
    let rows: Vec<ListedRow> = on!(source, conn => sqlx::query_as(LIST)
        .bind(after.map_or(0, |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list", "repositories"))?;
    let listed = |row: ListedRow| Listed {
        account_id: AccountId(row.id),
        status: row.causes().at(now).status(),
        did: row.did.0,
        rev: row.rev.0,
        commit: row.commit_cid.0,
    };
    Ok(rows.into_iter().map(listed).collect())
}
