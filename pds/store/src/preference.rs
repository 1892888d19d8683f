//! Preferences of accounts: one JSON text each. Its meaning is the caller's.

use crate::{
    AccountId, Error, Result, Source, Tx,
    source::{execute, on},
};

pub(crate) const GET: &str = "select value from preference where account_id = $1";

/// The preferences, if some were stored.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<String>> {
    let row: Option<(String,)> = on!(source, conn => sqlx::query_as(GET).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read preferences of account", id))?;
    Ok(row.map(|(value,)| value))
}

/// Replaces the preferences. Whoever keeps some of the former ones holds the account's lock ([`crate::account::lock`]) while reading and writing.
///
/// # Errors
/// When the database cannot be written.
pub async fn put(tx: &mut Tx, id: AccountId, value: &str) -> Result<()> {
    const SQL: &str = "insert into preference (account_id, value) values ($1, $2) \
                       on conflict (account_id) do update set value = excluded.value";
    execute!(tx, SQL, id.0, value).map_err(Error::during("store preferences of account", id))?;
    Ok(())
}
