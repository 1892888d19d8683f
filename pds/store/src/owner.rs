//! The fingerprint of the keys with which the data was sealed.
//!
//! The store compares texts; the caller makes fingerprints.

use pds_syntax::Did;

use crate::{
    Db, Error, Result,
    column::Text,
    schema::has_table,
    source::{execute, on},
};

const RECORDED: &str = "select fingerprint from owner where id = 1";

/// The fingerprint in the database. `None` if there is none yet, also because the schema is older.
///
/// # Errors
/// When the database cannot be read.
pub async fn recorded(db: &Db) -> Result<Option<String>> {
    if !has_table(db, "owner").await? {
        return Ok(None);
    }
    let row: Option<(String,)> =
        on!(db, conn => sqlx::query_as(RECORDED).fetch_optional(conn)).map_err(Error::during("read", "owner"))?;
    Ok(row.map(|(fingerprint,)| fingerprint))
}

/// Records the fingerprint unless there is one, and returns the one that counts from now on. If several callers record one at the same time, all of them
/// get the fingerprint of the first. Needs the current schema.
///
/// # Errors
/// When the database cannot be written.
pub async fn record(db: &Db, fingerprint: &str) -> Result<String> {
    const RECORD: &str = "insert into owner (id, fingerprint) values (1, $1) on conflict (id) do nothing";
    let mut tx = db.begin().await?;
    execute!(&mut tx, RECORD, fingerprint).map_err(Error::during("record", "owner"))?;
    let (counts,): (String,) =
        on!(&mut tx, conn => sqlx::query_as(RECORDED).fetch_one(conn)).map_err(Error::during("read", "owner"))?;
    tx.commit().await?;
    Ok(counts)
}

/// The DID and the sealed signing key of one account, the newest; `None` if there is no account. For a database that keeps no
/// fingerprint yet: keys that cannot open it are not the ones.
///
/// # Errors
/// When the database cannot be read.
pub async fn sealed_key(db: &Db) -> Result<Option<(Did, Vec<u8>)>> {
    const SQL: &str = "select did, signing_key from account order by id desc limit 1";
    let row: Option<(Text<Did>, Vec<u8>)> = on!(db, conn => sqlx::query_as(SQL).fetch_optional(conn))
        .map_err(Error::during("read a sealed key of", "accounts"))?;
    Ok(row.map(|(did, key)| (did.0, key)))
}
