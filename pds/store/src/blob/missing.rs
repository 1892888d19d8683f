//! Blobs that records refer to and that are not there: a repository that moves in comes before its blobs, and objects get lost.

use pds_repo::Cid;
use pds_syntax::RepoPath;

use super::referred;
use crate::{
    AccountId, Db, Error, Result, Source,
    column::{FullCid, Text, full_bytes},
    source::{execute, on},
};

/// A blob that is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// CID of the blob.
    pub cid: Cid,
    /// The first of the records that refer to it.
    pub path: RepoPath,
}

pub(crate) const MISSING: &str = referred!(
    " and blob_cid > $2",
    "select cid, (select l.path from record_blob l where l.repo_id = $1 and l.blob_cid = cid order by l.path limit 1) \
     from referred where cid is not null \
     and not exists (select 1 from blob b where b.repo_id = $1 and b.cid = referred.cid and b.lost_at is null) limit $3"
);

pub(crate) const ANY_MISSING: &str = referred!(
    "",
    "select 1 from referred where cid is not null \
     and not exists (select 1 from blob b where b.repo_id = $1 and b.cid = referred.cid and b.lost_at is null) limit 1"
);

/// Whether an account has missing blobs.
///
/// # Errors
/// When the database cannot be read.
pub async fn any_missing<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<bool> {
    let row: Option<(i32,)> = on!(source, conn => sqlx::query_as(ANY_MISSING).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("look for missing blobs of account", id))?;
    Ok(row.is_some())
}

/// A page of an account's missing blobs, in the order of their bytes; `after` is the last CID of the page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn missing<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    after: Option<&Cid>,
    limit: u32,
) -> Result<Vec<Missing>> {
    let after = after.map_or_else(Vec::new, full_bytes);
    let rows: Vec<(FullCid, Text<RepoPath>)> = on!(source, conn => sqlx::query_as(MISSING)
        .bind(id.0)
        .bind(&*after)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list missing blobs of account", id))?;
    Ok(rows.into_iter().map(|(cid, path)| Missing { cid: cid.0, path: path.0 }).collect())
}

pub(crate) const NEVER_UPLOADED: &str = referred!(
    " and blob_cid > $2",
    "select cid from referred where cid is not null \
     and not exists (select 1 from blob b where b.repo_id = $1 and b.cid = referred.cid) limit $3"
);

/// A page of the blobs that an account's records refer to and that were not uploaded, in the order of their bytes; `after` is the last CID of the
/// page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn never_uploaded<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    after: Option<&Cid>,
    limit: u32,
) -> Result<Vec<Cid>> {
    let after = after.map_or_else(Vec::new, full_bytes);
    let rows: Vec<(FullCid,)> = on!(source, conn => sqlx::query_as(NEVER_UPLOADED)
        .bind(id.0)
        .bind(&*after)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list blobs that were not uploaded of account", id))?;
    Ok(rows.into_iter().map(|(cid,)| cid.0).collect())
}

/// Makes those uploads permanent that records refer to: on Postgres the two may have come at once and not seen each other.
///
/// # Errors
/// When the database cannot be written.
pub async fn adopt(db: &Db, id: AccountId) -> Result<()> {
    const SQL: &str = "update blob set state = 1 where repo_id = $1 and state = 0 \
                       and exists (select 1 from record_blob l where l.repo_id = $1 and l.blob_cid = blob.cid)";
    let mut tx = db.begin().await?;
    execute!(&mut tx, SQL, id.0).map_err(Error::during("adopt blobs of account", id))?;
    tx.commit().await
}
