//! Objects of the blob store that no row names.
//!
//! The transaction that deletes the last row of an object stores its key here; the key is removed when the object is known to be deleted, so
//! that nothing is left when the blob store does not answer in between. The key of a large upload is stored here, due later, until its blob is
//! recorded: the object of an upload that a crash ended is deleted.

use crate::{
    Error, Result, Source, Tx,
    source::{execute, on},
};

/// Notes an object that is to be deleted at a time; microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn discard(tx: &mut Tx, storage_key: &str, due: i64) -> Result<()> {
    const SQL: &str = "insert into blob_garbage (storage_key, due) values ($1, $2) \
                       on conflict (storage_key) do update set due = excluded.due";
    execute!(tx, SQL, storage_key, due).map_err(Error::during("discard object", storage_key))?;
    Ok(())
}

/// Keys of objects that are due to be deleted, after the last one of the page before.
///
/// # Errors
/// When the database cannot be read.
pub async fn discarded<'a>(source: impl Into<Source<'a>>, now: i64, after: &str, limit: u32) -> Result<Vec<String>> {
    const SQL: &str = "select storage_key from blob_garbage where storage_key > $1 and due <= $2 \
                       order by storage_key limit $3";
    let rows: Vec<(String,)> =
        on!(source, conn => sqlx::query_as(SQL).bind(after).bind(now).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "discarded objects"))?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Removes the key of an object that was deleted, or that has a row now.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_discarded(tx: &mut Tx, storage_key: &str) -> Result<()> {
    const SQL: &str = "delete from blob_garbage where storage_key = $1";
    execute!(tx, SQL, storage_key).map_err(Error::during("forget object", storage_key))?;
    Ok(())
}
