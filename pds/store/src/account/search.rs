//! Lists of accounts for administrators: all of them, or those whose e-mail addresses begin alike.

use pds_syntax::{Did, Handle};

use super::{
    Account, AccountId,
    row::{account_columns, account_row},
};
use crate::{Error, Result, Source, column::Text, row::row, source::on};

account_row! {
    struct Row {}
}

pub(crate) const ALL: &str = concat!(
    "select ",
    account_columns!(""),
    " from account where id > $1 and activated_at is not null and deleted_at is null order by id limit $2"
);
pub(crate) const BY_PREFIX: &str = concat!(
    "select ",
    account_columns!(""),
    " from account where email >= $1 and email < $2 and email > $3",
    " and activated_at is not null and deleted_at is null order by email limit $4"
);

/// A page of all accounts behind this one, in the order in which they were made, without reserved and deleted ones.
///
/// # Errors
/// When the database cannot be read.
pub async fn all<'a>(source: impl Into<Source<'a>>, after: Option<AccountId>, limit: u32) -> Result<Vec<Account>> {
    let after = after.map_or(0, |id| id.0);
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(ALL).bind(after).bind(i64::from(limit)).fetch_all(conn))
        .map_err(Error::during("list", "accounts"))?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// A page of the accounts whose e-mail addresses begin with `prefix` in whatever case, behind this address, in the order of their addresses.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_email_prefix<'a>(
    source: impl Into<Source<'a>>,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Account>> {
    let prefix = prefix.to_lowercase();
    // Behind every address with this prefix: U+10FFFF is no part of one.
    let end = format!("{prefix}\u{10FFFF}");
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(BY_PREFIX)
        .bind(&*prefix)
        .bind(&*end)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list", "accounts by e-mail"))?;
    Ok(rows.into_iter().map(Account::from).collect())
}
