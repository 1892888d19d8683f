//! The keys of accounts.

use pds_syntax::Did;

use super::AccountId;
use crate::{
    Error, Result, Source, Tx,
    column::Text,
    source::{execute, on},
};

pub(crate) const SIGNING_KEY: &str = "select signing_key from account where id = $1";

/// The sealed signing key of an account.
///
/// # Errors
/// When the database cannot be read.
pub async fn signing_key<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = on!(source, conn => sqlx::query_as(SIGNING_KEY).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read signing key of account", id))?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Replaces the sealed signing key. The head must be signed with it in the same transaction ([`crate::repo::resign`]).
///
/// # Errors
/// When the database cannot be written.
pub async fn set_signing_key(tx: &mut Tx, id: AccountId, sealed: &[u8]) -> Result<()> {
    const SQL: &str = "update account set signing_key = $2 where id = $1";
    execute!(tx, SQL, id.0, sealed).map_err(Error::during("set signing key of account", id))?;
    Ok(())
}

/// The did:key with which the owner can take the identity back from the host.
///
/// # Errors
/// When the database cannot be read.
pub async fn recovery_key<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Did>> {
    const SQL: &str = "select recovery_key from account where id = $1 and recovery_key is not null";
    let row: Option<(Text<Did>,)> = on!(source, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read recovery key of account", id))?;
    Ok(row.map(|(key,)| key.0))
}

/// Sets the owner's recovery key.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_recovery_key(tx: &mut Tx, id: AccountId, key: &Did) -> Result<()> {
    const SQL: &str = "update account set recovery_key = $2 where id = $1";
    execute!(tx, SQL, id.0, key.as_str()).map_err(Error::during("set recovery key of account", id))?;
    Ok(())
}
