//! Lists of codes, and of who used them.

use std::{collections::HashMap, fmt::Write as _};

use pds_syntax::Did;
use sqlx::AssertSqlSafe;

use super::code::{Invite, Row, select_invite};
use crate::{AccountId, Error, Result, Source, column::Text, source::on};

/// Maximum number of codes of one account in an answer, and of uses of one code.
const MOST: i64 = 1_000;

/// One use of a code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Use {
    /// The account that was made with it.
    pub used_by: Did,
    /// When it was used; microseconds.
    pub used_at: i64,
}

/// The order of a list of all codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Newest first.
    Recent,
    /// Most used first.
    Usage,
}

/// Where a page begins: behind the code with this number (its time, or how often it was used) and this text.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Time or number of uses, as the list is ordered.
    pub number: i64,
    /// The code.
    pub code: &'a str,
}

pub(crate) const RECENT: &str =
    select_invite!("where (created_at, code) < ($1, $2) order by created_at desc, code desc limit $3");
pub(crate) const USAGE: &str = select_invite!("where (used, code) < ($1, $2) order by used desc, code desc limit $3");
pub(crate) const OF_ACCOUNT: &str =
    select_invite!("where for_account = $1 order by created_at desc, code desc limit $2");
pub(crate) const USED_BY: &str = select_invite!(
    "where code = (select u.code from invite_code_use u where u.account_id = $1 order by u.used_at desc limit 1)"
);

/// A page of all codes, from the first one or behind a place.
///
/// # Errors
/// When the database cannot be read.
pub async fn page<'a>(
    source: impl Into<Source<'a>>,
    by: By,
    after: Option<Place<'_>>,
    limit: u32,
) -> Result<Vec<Invite>> {
    // Behind every text: U+10FFFF is its own largest character.
    let Place { number, code } = after.unwrap_or(Place { number: i64::MAX, code: "\u{10FFFF}" });
    let rows: Vec<Row> = match by {
        By::Recent => on!(source, conn => sqlx::query_as(RECENT)
            .bind(number)
            .bind(code)
            .bind(i64::from(limit))
            .fetch_all(conn)),
        By::Usage => on!(source, conn => sqlx::query_as(USAGE)
            .bind(i32::try_from(number).unwrap_or(i32::MAX))
            .bind(code)
            .bind(i64::from(limit))
            .fetch_all(conn)),
    }
    .map_err(Error::during("list", "invite codes"))?;
    Ok(rows.into_iter().map(Invite::from).collect())
}

/// The codes that were made for an account, newest first, at most a thousand.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_account<'a>(source: impl Into<Source<'a>>, did: &str) -> Result<Vec<Invite>> {
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(OF_ACCOUNT).bind(did).bind(MOST).fetch_all(conn))
        .map_err(Error::during("list invite codes of", did))?;
    Ok(rows.into_iter().map(Invite::from).collect())
}

/// The code that an account was made with.
///
/// # Errors
/// When the database cannot be read.
pub async fn used_by<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Invite>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(USED_BY).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read the invite code of account", id))?;
    Ok(row.map(Invite::from))
}

/// The uses of these codes, newest first, at most a thousand of each; by code.
///
/// # Errors
/// When the database cannot be read.
pub async fn uses<'a>(source: impl Into<Source<'a>>, codes: &[&str]) -> Result<HashMap<String, Vec<Use>>> {
    let mut uses: HashMap<String, Vec<Use>> = HashMap::new();
    if codes.is_empty() {
        return Ok(uses);
    }
    let mut list = String::new();
    for n in 2..codes.len() + 2 {
        let comma = if n > 2 { ", " } else { "" };
        write!(list, "{comma}${n}").expect("a String takes all text");
    }
    let sql = format!(
        "select code, did, used_at from (select u.code, a.did, u.used_at, \
         row_number() over (partition by u.code order by u.used_at desc, a.id desc) as place \
         from invite_code_use u join account a on a.id = u.account_id where u.code in ({list})) ranked \
         where place <= $1 order by code, place"
    );
    let rows: Vec<(String, Text<Did>, i64)> = on!(source, conn => async {
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(MOST);
        for code in codes {
            query = query.bind(*code);
        }
        query.fetch_all(conn).await
    })
    .map_err(Error::during("list uses of", "invite codes"))?;
    for (code, Text(used_by), used_at) in rows {
        uses.entry(code).or_default().push(Use { used_by, used_at });
    }
    Ok(uses)
}
