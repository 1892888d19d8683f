//! Finding and deleting blobs that no record refers to.

use pds_repo::Cid;

use super::discard;
use crate::{
    AccountId, Error, Result, Source, Tx,
    column::{FullCid, full_bytes},
    source::on,
};

/// A blob that is due to be deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Swept {
    /// The account of the blob.
    pub account_id: AccountId,
    /// CID of the blob.
    pub cid: Cid,
    /// The key in the blob store.
    pub storage_key: String,
    /// Since when nothing refers to it; microseconds.
    pub since: i64,
}

pub(crate) const SWEEPABLE: &str = "select repo_id, cid, storage_key, temporary_since from blob \
     where state = 0 and temporary_since < $1 and temporary_since >= $2 \
       and (temporary_since, repo_id, cid) > ($2, $3, $4) order by temporary_since, repo_id, cid limit $5";

/// A page of the blobs that have been temporary since before a time (microseconds), longest first; `after` is the last one of the page
/// before. One of them may become permanent at any moment: only [`delete_temporary`] decides.
///
/// # Errors
/// When the database cannot be read.
pub async fn sweepable<'a>(
    source: impl Into<Source<'a>>,
    before: i64,
    after: Option<&Swept>,
    limit: u32,
) -> Result<Vec<Swept>> {
    let (since, id, cid) =
        after.map_or((i64::MIN, 0, Vec::new()), |after| (after.since, after.account_id.0, full_bytes(&after.cid)));
    let rows: Vec<(i64, FullCid, String, i64)> = on!(source, conn => sqlx::query_as(SWEEPABLE)
        .bind(before)
        .bind(since)
        .bind(id)
        .bind(&*cid)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list", "blobs to sweep"))?;
    Ok(rows
        .into_iter()
        .map(|(id, cid, storage_key, since)| Swept { account_id: AccountId(id), cid: cid.0, storage_key, since })
        .collect())
}

/// Forgets a blob if it is (under the row's lock) still temporary and old enough, and notes its object as one to be deleted
/// ([`super::discarded`]). Says whether it did.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete_temporary(tx: &mut Tx, id: AccountId, cid: &Cid, before: i64) -> Result<bool> {
    const SQL: &str = "delete from blob where repo_id = $1 and cid = $2 and state = 0 and temporary_since < $3 \
                       returning storage_key";
    let row: Option<(String,)> = on!(&mut *tx, conn => sqlx::query_as(SQL)
        .bind(id.0)
        .bind(FullCid(*cid))
        .bind(before)
        .fetch_optional(conn))
    .map_err(Error::during("sweep blob", cid))?;
    if let Some((storage_key,)) = &row {
        discard(tx, storage_key, before).await?;
    }
    Ok(row.is_some())
}
