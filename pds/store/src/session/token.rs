//! The valid refresh tokens, by their identifier (`jti`). Access tokens are not stored: each contains the identifier of the refresh
//! token that it was issued with, and a logout stores these identifiers.
//!
//! A refresh replaces a token by its successor. The old one stays valid for a grace period, and using it again returns the same successor, so
//! a client that lost the answer is not logged out, and two refreshes at once do not make two sessions.

use std::collections::{HashMap, HashSet};

use crate::{
    AccountId, AppPasswordId, Error, Result, Source, Tx, app_password,
    row::row,
    source::{execute, on},
};

/// A stored refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefreshToken {
    /// The token's identifier.
    pub jti: String,
    /// The account of the session.
    pub account_id: AccountId,
    /// When it was issued; microseconds.
    pub created_at: i64,
    /// When it expires; microseconds.
    pub expires_at: i64,
    /// The successor, once it was used.
    pub next_jti: Option<String>,
    /// The app password that the session was opened with; none if it was the account's password.
    pub app_password: Option<AppSession>,
}

/// The app password of a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppSession {
    /// The app password's key.
    pub id: AppPasswordId,
    /// Whether it may read private messages.
    pub privileged: bool,
    /// What it may do, if it is limited.
    pub scopes: Option<String>,
}

/// How to replace a token.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// The token that was presented.
    pub jti: &'a str,
    /// The successor's id, unless it has one already.
    pub next_jti: &'a str,
    /// Now; microseconds.
    pub now: i64,
    /// How long the presented token stays good; microseconds. Never beyond its own end.
    pub grace: i64,
    /// The successor's end; microseconds.
    pub expires_at: i64,
}

row! {
    struct Row {
        jti: String,
        account_id: i64,
        created_at: i64,
        expires_at: i64,
        next_jti: Option<String>,
        app_password_id: Option<i64>,
        privileged: Option<bool>,
        scopes: Option<String>,
    }
}

impl Row {
    /// `None` if the session's app password is gone: whoever revokes it ends its sessions in the same transaction.
    fn token(self) -> Option<RefreshToken> {
        let row = self;
        let app_password = match (row.app_password_id, row.privileged) {
            (Some(id), Some(privileged)) => Some(AppSession { id: AppPasswordId(id), privileged, scopes: row.scopes }),
            (Some(_), None) => return None,
            (None, _) => None,
        };
        Some(RefreshToken {
            app_password,
            jti: row.jti,
            account_id: AccountId(row.account_id),
            created_at: row.created_at,
            expires_at: row.expires_at,
            next_jti: row.next_jti,
        })
    }
}

/// Begins a session.
///
/// # Errors
/// [`Error::AppPasswordRevoked`], or when the database cannot be written, or the id is in use.
pub async fn create(tx: &mut Tx, token: &RefreshToken) -> Result<()> {
    const SQL: &str = "insert into refresh_token \
                       (jti, account_id, created_at, expires_at, next_jti, app_password_id, scopes, session_id, began_at) \
                       values ($1, $2, $3, $4, $5, $6, $7, $1, $3)";
    let scopes = token.app_password.as_ref().and_then(|app_password| app_password.scopes.as_deref());
    let app_password = token.app_password.as_ref().map(|app_password| app_password.id);
    if let Some(id) = app_password
        && !app_password::hold(&mut *tx, id).await?
    {
        return Err(Error::AppPasswordRevoked { id });
    }
    let (next, app_password) = (token.next_jti.as_deref(), app_password.map(|id| id.0));
    execute!(tx, SQL, &*token.jti, token.account_id.0, token.created_at, token.expires_at, next, app_password, scopes)
        .map_err(Error::during("store refresh token of account", token.account_id))?;
    Ok(())
}

pub(crate) const GET: &str = "select r.jti, r.account_id, r.created_at, r.expires_at, r.next_jti, r.app_password_id, \
                              p.privileged, r.scopes from refresh_token r left join app_password p on p.id = r.app_password_id \
                              where r.jti = $1";

/// The token with this id, expired or not.
///
/// # Errors
/// When the database cannot be read.
pub async fn get<'a>(source: impl Into<Source<'a>>, jti: &str) -> Result<Option<RefreshToken>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(GET).bind(jti).fetch_optional(conn))
        .map_err(Error::during("read", "refresh token"))?;
    Ok(row.and_then(Row::token))
}

/// Replaces a token and returns its successor, or `None` if the token is unknown, revoked or expired. Also forgets the
/// account's expired tokens.
///
/// # Errors
/// When the database cannot be written.
pub async fn rotate(tx: &mut Tx, rotation: &Rotation<'_>) -> Result<Option<RefreshToken>> {
    // One statement reads and writes: the second of two at once waits for the first and then finds its successor.
    // The step tells the database that this release knows limits.
    const USE: &str = "update refresh_token set next_jti = coalesce(next_jti, $2), rotations = rotations + 2, \
                       expires_at = case when expires_at < $4 then expires_at else $4 end \
                       where jti = $1 and expires_at > $3 returning account_id, next_jti, app_password_id, \
                       coalesce(session_id, jti), coalesce(began_at, created_at), scopes";
    const STORE: &str = "insert into refresh_token \
                         (jti, account_id, created_at, expires_at, app_password_id, session_id, began_at, scopes) \
                         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (jti) do nothing";
    const TIDY: &str = "delete from refresh_token where account_id = $1 and expires_at <= $2";
    let failed = || Error::during("rotate", "refresh token");
    type Used = (i64, String, Option<i64>, String, i64, Option<String>);
    let used: Option<Used> = on!(&mut *tx, conn => sqlx::query_as(USE)
        .bind(rotation.jti)
        .bind(rotation.next_jti)
        .bind(rotation.now)
        .bind(rotation.now.saturating_add(rotation.grace))
        .fetch_optional(conn))
    .map_err(failed())?;
    let Some((account_id, next_jti, app_password, session, began_at, scopes)) = used else { return Ok(None) };
    if next_jti == rotation.next_jti {
        let (now, end) = (rotation.now, rotation.expires_at);
        execute!(&mut *tx, STORE, &*next_jti, account_id, now, end, app_password, session, began_at, scopes)
            .map_err(failed())?;
        execute!(&mut *tx, TIDY, account_id, rotation.now).map_err(failed())?;
    }
    // A successor that was revoked or has expired since is not brought back by its predecessor.
    let successor = get(tx, &next_jti).await?;
    Ok(successor.filter(|token| token.expires_at > rotation.now))
}

/// Ends a session: the token with this id, those that it came from and those that came from it, on whichever replica. Access tokens that
/// name one of them are void until `until`, when the last one has expired; microseconds. Says whether the session was open.
///
/// # Errors
/// When the database cannot be written.
pub async fn revoke(tx: &mut Tx, jti: &str, until: i64) -> Result<bool> {
    const OF_ACCOUNT: &str = "select t.jti, t.next_jti from refresh_token t \
                              where t.account_id = (select account_id from refresh_token where jti = $1)";
    const DELETE: &str = "delete from refresh_token where jti = $1 returning next_jti";
    let failed = || Error::during("revoke", "refresh token");
    let tokens: Vec<(String, Option<String>)> =
        on!(&mut *tx, conn => sqlx::query_as(OF_ACCOUNT).bind(jti).fetch_all(conn)).map_err(failed())?;
    let is_open = tokens.iter().any(|(token, _)| token == jti);
    // A session may have been refreshed thousands of times within the grace period.
    let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
    for (token, next) in &tokens {
        before.entry(next.as_deref().unwrap_or_default()).or_default().push(token);
    }
    let (mut found, mut known) = (vec![jti.to_owned()], HashSet::from([jti.to_owned()]));
    let mut at = 0;
    while let Some(token) = found.get(at).cloned() {
        at += 1;
        let earlier = before.get(token.as_str()).into_iter().flatten().map(|token| (*token).to_owned());
        found.extend(earlier.filter(|token| known.insert(token.clone())));
    }
    // A successor that another replica adds meanwhile is named by the row that is deleted: deleting waits for it.
    let mut next = 0;
    while let Some(token) = found.get(next).cloned() {
        next += 1;
        let deleted: Option<(Option<String>,)> =
            on!(&mut *tx, conn => sqlx::query_as(DELETE).bind(&*token).fetch_optional(conn)).map_err(failed())?;
        let Some((successor,)) = deleted else { continue };
        execute!(&mut *tx, END, &*token, until).map_err(failed())?;
        found.extend(successor.filter(|successor| known.insert(successor.clone())));
    }
    Ok(is_open)
}

/// Voids the access tokens that name the refresh token with this id.
const END: &str = "insert into ended_session (jti, until) values ($1, $2) on conflict do nothing";

/// Deletes an app password and ends its sessions, on every replica. Access tokens of these sessions are void until `until`, when the last one
/// has expired; microseconds. Says whether there was one.
///
/// # Errors
/// When the database cannot be written.
pub async fn revoke_app_password(tx: &mut Tx, account: AccountId, name: &str, until: i64) -> Result<bool> {
    // First: waits for a login with it, and no login comes after it.
    const DELETE: &str = "delete from app_password where account_id = $1 and name = $2 returning id";
    const SESSIONS: &str = "delete from refresh_token where app_password_id = $1 returning jti";
    let failed = || Error::during("revoke app password of account", account);
    let deleted: Option<(i64,)> =
        on!(&mut *tx, conn => sqlx::query_as(DELETE).bind(account.0).bind(name).fetch_optional(conn))
            .map_err(failed())?;
    let Some((id,)) = deleted else { return Ok(false) };
    // Once more until there are none: a refresh that this statement waits for adds a token that the statement does not see.
    loop {
        let tokens: Vec<(String,)> =
            on!(&mut *tx, conn => sqlx::query_as(SESSIONS).bind(id).fetch_all(conn)).map_err(failed())?;
        if tokens.is_empty() {
            return Ok(true);
        }
        for (jti,) in tokens {
            execute!(&mut *tx, END, &*jti, until).map_err(failed())?;
        }
    }
}

/// Ends all of an account's sessions and returns how many tokens there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn revoke_all(tx: &mut Tx, id: AccountId) -> Result<u64> {
    const SQL: &str = "delete from refresh_token where account_id = $1";
    let mut all = 0;
    // Once more until there are none: a refresh that the statement waits for adds a token that the statement does not see.
    loop {
        let deleted = execute!(&mut *tx, SQL, id.0).map_err(Error::during("revoke refresh tokens of account", id))?;
        all += deleted;
        if deleted == 0 {
            return Ok(all);
        }
    }
}

/// Forgets the refresh tokens of all accounts that expired by `now`, and the ended sessions that no access token can name any more.
/// Returns how many tokens there were.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_expired(tx: &mut Tx, now: i64) -> Result<u64> {
    const SQL: &str = "delete from refresh_token where expires_at <= $1";
    const ENDED: &str = "delete from ended_session where until <= $1";
    execute!(&mut *tx, ENDED, now).map_err(Error::during("forget", "ended sessions"))?;
    execute!(tx, SQL, now).map_err(Error::during("forget", "expired refresh tokens"))
}
