//! Changes of handles that have begun. The directory may name another handle than the account has, until the change has ended.

use pds_syntax::Did;

use super::AccountId;
use crate::{
    Error, Result, Source, Tx,
    column::Text,
    source::{execute, on},
};

/// A change that has begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HandleChange {
    /// The change's key.
    pub id: i64,
    /// The account.
    pub account_id: AccountId,
    /// The account's DID.
    pub did: Did,
}

/// Notes that a change begins, and returns its key. `at` is now, in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin_handle_change(tx: &mut Tx, id: AccountId, at: i64) -> Result<i64> {
    const SQL: &str = "insert into handle_change (account_id, since) values ($1, $2) returning id";
    let (change,): (i64,) = on!(tx, conn => sqlx::query_as(SQL).bind(id.0).bind(at).fetch_one(conn))
        .map_err(Error::during("begin change of handle of account", id))?;
    Ok(change)
}

/// Notes that a change has ended: directory and database agree.
///
/// # Errors
/// When the database cannot be written.
pub async fn end_handle_change(tx: &mut Tx, change: i64) -> Result<()> {
    const SQL: &str = "delete from handle_change where id = $1";
    execute!(tx, SQL, change).map_err(Error::during("end change of handle", change))?;
    Ok(())
}

pub(crate) const UNFINISHED: &str = "select c.id, c.account_id, a.did from handle_change c join account a on a.id = c.account_id \
                                     where c.since < $1 order by c.since, c.id limit $2";

/// The changes that began before a time, in microseconds, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn unfinished_handle_changes<'a>(
    source: impl Into<Source<'a>>,
    before: i64,
    limit: u32,
) -> Result<Vec<HandleChange>> {
    let rows: Vec<(i64, i64, Text<Did>)> =
        on!(source, conn => sqlx::query_as(UNFINISHED).bind(before).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "unfinished changes of handles"))?;
    let change =
        |(id, account, did): (i64, i64, Text<Did>)| HandleChange { id, account_id: AccountId(account), did: did.0 };
    Ok(rows.into_iter().map(change).collect())
}
