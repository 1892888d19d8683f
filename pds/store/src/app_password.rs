//! App passwords: passwords of single apps, each with its sessions. Only digests are stored. Ending the sessions is part of `session`.

use crate::{
    AccountId, AppPasswordId, Error, Result, Source, Tx,
    row::row,
    source::{execute, on},
    tx::Open,
};

/// An app password, without the password.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppPassword {
    /// The app password's key.
    pub id: AppPasswordId,
    /// The owner's name for it, unique in the account.
    pub name: String,
    /// Whether it may read private messages.
    pub privileged: bool,
    /// What it may do, if it is limited: OAuth scopes, separated by spaces. Their meaning is the caller's.
    pub scopes: Option<String>,
    /// When it was made; microseconds.
    pub created_at: i64,
}

/// How a digest was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// With a key of this host.
    Keyed,
    /// By the reference implementation: scrypt with a salt that follows from the DID.
    Scrypt,
}

row! {
    struct Row {
        id: i64,
        name: String,
        privileged: bool,
        scopes: Option<String>,
        created_at: i64,
    }
}

impl From<Row> for AppPassword {
    fn from(row: Row) -> Self {
        let Row { id, name, privileged, scopes, created_at } = row;
        Self { id: AppPasswordId(id), name, privileged, scopes, created_at }
    }
}

impl Kind {
    fn column(self) -> i16 {
        match self {
            Self::Keyed => 0,
            Self::Scrypt => 1,
        }
    }
}

/// An app password that is to be stored.
#[derive(Clone, Copy)]
pub struct NewAppPassword<'a> {
    /// The account that it belongs to.
    pub account_id: AccountId,
    /// The owner's name for it.
    pub name: &'a str,
    /// How its digest was made.
    pub kind: Kind,
    /// By which it is found.
    pub digest: &'a [u8],
    /// Whether it may read private messages.
    pub privileged: bool,
    /// What it may do, if it is limited.
    pub scopes: Option<&'a str>,
    /// When it is made; microseconds.
    pub created_at: i64,
}

/// Stores an app password.
///
/// # Errors
/// [`Error::AppPasswordExists`] if the account has one of this name.
pub async fn create(tx: &mut Tx, new: &NewAppPassword<'_>) -> Result<()> {
    const SQL: &str = "insert into app_password (account_id, name, kind, digest, privileged, scopes, created_at) \
                       values ($1, $2, $3, $4, $5, $6, $7) on conflict (account_id, name) do nothing";
    let NewAppPassword { account_id, name, kind, digest, privileged, scopes, created_at } = *new;
    let stored = execute!(tx, SQL, account_id.0, name, kind.column(), digest, privileged, scopes, created_at);
    match stored.map_err(Error::during("store app password of account", new.account_id))? {
        0 => Err(Error::AppPasswordExists),
        _ => Ok(()),
    }
}

pub(crate) const LIST: &str = "select id, name, privileged, scopes, created_at from app_password where account_id = $1 \
                               order by created_at desc, id desc";
pub(crate) const FIND: &str = "select id, name, privileged, scopes, created_at from app_password where account_id = $1 and digest = $2 and kind = $3";
pub(crate) const ANY: &str = "select count(*) from app_password where account_id = $1 and kind = $2";

/// The app passwords of an account, newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn list<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Vec<AppPassword>> {
    let rows: Vec<Row> = on!(source, conn => sqlx::query_as(LIST).bind(id.0).fetch_all(conn))
        .map_err(Error::during("list app passwords of account", id))?;
    Ok(rows.into_iter().map(AppPassword::from).collect())
}

/// The app password of an account with this digest.
///
/// # Errors
/// When the database cannot be read.
pub async fn find<'a>(
    source: impl Into<Source<'a>>,
    id: AccountId,
    kind: Kind,
    digest: &[u8],
) -> Result<Option<AppPassword>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(FIND)
        .bind(id.0)
        .bind(digest)
        .bind(kind.column())
        .fetch_optional(conn))
    .map_err(Error::during("find app password of account", id))?;
    Ok(row.map(AppPassword::from))
}

/// How many app passwords of an account have digests of this kind.
///
/// # Errors
/// When the database cannot be read.
pub async fn count<'a>(source: impl Into<Source<'a>>, id: AccountId, kind: Kind) -> Result<i64> {
    let (count,): (i64,) = on!(source, conn => sqlx::query_as(ANY).bind(id.0).bind(kind.column()).fetch_one(conn))
        .map_err(Error::during("count app passwords of account", id))?;
    Ok(count)
}

/// Deletes all app passwords of an account, whose sessions the caller ends ([`session::revoke_all`](crate::session::revoke_all)).
///
/// # Errors
/// When the database cannot be written.
pub async fn delete_all(tx: &mut Tx, id: AccountId) -> Result<u64> {
    const SQL: &str = "delete from app_password where account_id = $1";
    execute!(tx, SQL, id.0).map_err(Error::during("delete app passwords of account", id))
}

/// Replaces a digest, when the password was seen at a login.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_digest(tx: &mut Tx, id: AppPasswordId, kind: Kind, digest: &[u8]) -> Result<()> {
    const SQL: &str = "update app_password set kind = $2, digest = $3 where id = $1";
    execute!(tx, SQL, id.0, kind.column(), digest).map_err(Error::during("store app password", id))?;
    Ok(())
}

/// Says whether an app password exists; it then does so until the transaction ends.
///
/// # Errors
/// When the database cannot be read.
pub async fn hold(tx: &mut Tx, id: AppPasswordId) -> Result<bool> {
    // On SQLite there is no other writer.
    const READ: &str = "select id from app_password where id = $1";
    const LOCK: &str = "select id from app_password where id = $1 for key share";
    let sql = if matches!(tx.open, Open::Postgres(_)) { LOCK } else { READ };
    let found: Option<(i64,)> = on!(tx, conn => sqlx::query_as(sql).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("lock app password", id))?;
    Ok(found.is_some())
}
