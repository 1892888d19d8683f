//! Finding and forgetting blobs that nobody refers to.

use pds_repo::Cid;

use super::discard;
use crate::{AccountId, Error, Result, Source, Tx, column::FullCid, source::on};

/// A blob to sweep, or swept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Swept {
    /// Whose blob.
    pub account_id: AccountId,
    /// Which.
    pub cid: Cid,
    /// The key in the blob store.
    pub storage_key: String,
}

pub(crate) const SWEEPABLE: &str = "select repo_id, cid, storage_key from blob \
                                    where state = 0 and temporary_since < $1 order by temporary_since limit $2";

/// Blobs that have been temporary since before a time (microseconds), longest first. One of them may become permanent
/// at any moment: only [`delete_temporary`] decides.
///
/// # Errors
/// When the database cannot be read.
pub async fn sweepable<'a>(source: impl Into<Source<'a>>, before: i64, limit: u32) -> Result<Vec<Swept>> {
    let rows: Vec<(i64, FullCid, String)> = on!(source, conn => sqlx::query_as(SWEEPABLE)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list", "blobs to sweep"))?;
    Ok(rows
        .into_iter()
        .map(|(id, cid, storage_key)| Swept { account_id: AccountId(id), cid: cid.0, storage_key })
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
