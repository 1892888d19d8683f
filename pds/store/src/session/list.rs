//! The sessions of an account, as its owner sees them. A session is its newest refresh token; it keeps the identifier of its first one.

use crate::{AccountId, Error, Result, Source, row::row, source::on};

/// An open session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// Stays the same while its tokens are replaced.
    pub id: String,
    /// When it began; microseconds.
    pub began_at: i64,
    /// When its newest refresh token was issued; microseconds.
    pub refreshed_at: i64,
    /// When its newest refresh token expires; microseconds.
    pub expires_at: i64,
    /// The newest refresh token.
    pub jti: String,
    /// Name and privilege of the app password that it was opened with.
    pub app_password: Option<(String, bool)>,
    /// What it may do, if the app password is limited.
    pub scopes: Option<String>,
}

/// Where a page begins: behind the session whose newest token this is.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// When the token was issued; microseconds.
    pub refreshed_at: i64,
    /// The newest refresh token of that session.
    pub jti: &'a str,
}

row! {
    struct Row {
        id: String,
        began_at: i64,
        refreshed_at: i64,
        expires_at: i64,
        jti: String,
        name: Option<String>,
        privileged: Option<bool>,
        scopes: Option<String>,
    }
}

macro_rules! select_session {
    ($condition:literal) => {
        concat!(
            "select coalesce(r.session_id, r.jti) as id, coalesce(r.began_at, r.created_at) as began_at, ",
            "r.created_at as refreshed_at, r.expires_at, r.jti, p.name, p.privileged, r.scopes from refresh_token r ",
            "left join app_password p on p.id = r.app_password_id where r.account_id = $1 and r.expires_at > $2 ",
            "and r.next_jti is null and (r.app_password_id is null or p.id is not null) and ",
            $condition
        )
    };
}
pub(crate) const PAGE: &str =
    select_session!("(r.created_at, r.jti) < ($3, $4) order by r.created_at desc, r.jti desc limit $5");
pub(crate) const NAMED: &str = select_session!("coalesce(r.session_id, r.jti) = $3 order by r.created_at desc limit 1");
pub(crate) const OF_TOKEN: &str = "select coalesce(session_id, jti) from refresh_token where jti = $1";

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        let Row { id, began_at, refreshed_at, expires_at, jti, name, privileged, scopes } = row;
        Self { id, began_at, refreshed_at, expires_at, jti, app_password: name.zip(privileged), scopes }
    }
}

/// A page of the sessions of an account that are open at `now` (microseconds), the one that was refreshed last first.
///
/// # Errors
/// When the database cannot be read.
pub async fn page<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    now: i64,
    after: Option<Place<'_>>,
    limit: u32,
) -> Result<Vec<Session>> {
    // Behind every text: U+10FFFF is its own largest character.
    let Place { refreshed_at, jti } = after.unwrap_or(Place { refreshed_at: i64::MAX, jti: "\u{10FFFF}" });
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(PAGE)
        .bind(id.0)
        .bind(now)
        .bind(refreshed_at)
        .bind(jti)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list sessions of account", id))?;
    Ok(rows.into_iter().map(Session::from).collect())
}

/// The session of an account with this identifier, if it is open at `now`, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn named<'a>(
    source: impl Into<Source<'a>>,
    account: AccountId,
    now: i64,
    id: &str,
) -> Result<Option<Session>> {
    let row: Option<Row> =
        on!(source, conn => sqlx::query_as(NAMED).bind(account.0).bind(now).bind(id).fetch_optional(conn))
            .map_err(Error::during("read a session of account", account))?;
    Ok(row.map(Session::from))
}

/// The identifier of the session that a refresh token belongs to.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_token<'a>(source: impl Into<Source<'a>>, jti: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = on!(source, conn => sqlx::query_as(OF_TOKEN).bind(jti).fetch_optional(conn))
        .map_err(Error::during("read the session of a", "refresh token"))?;
    Ok(row.map(|(id,)| id))
}
