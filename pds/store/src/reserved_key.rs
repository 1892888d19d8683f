//! Signing keys before an account has them: reserved for one that is to move here, or to replace the key of an account of this host.
//!
//! Only sealed keys are stored. A reserved key expires, unless an account is changing to it.

use pds_syntax::Did;

use crate::{
    AccountId, Error, Result, Source, Tx,
    column::Text,
    error::violates_unique,
    row::row,
    source::{execute, on},
};

/// A key to be reserved.
#[derive(Clone, Debug)]
pub struct NewKey<'a> {
    /// As did:key.
    pub public_key: &'a str,
    /// The DID that it is for.
    pub did: Option<&'a Did>,
    /// The sealed secret key.
    pub sealed: &'a [u8],
    /// Now; microseconds.
    pub now: i64,
    /// When it expires; microseconds.
    pub expires_at: i64,
}

/// A reserved key.
#[derive(Clone, Eq, PartialEq)]
pub struct ReservedKey {
    /// As did:key.
    pub public_key: String,
    /// The sealed secret key.
    pub sealed: Vec<u8>,
    /// The account that is changing to it.
    pub account_id: Option<AccountId>,
}

row! {
    struct Row {
        public_key: String,
        sealed: Vec<u8>,
        account_id: Option<i64>,
    }
}

impl From<Row> for ReservedKey {
    fn from(row: Row) -> Self {
        Self { public_key: row.public_key, sealed: row.sealed, account_id: row.account_id.map(AccountId) }
    }
}

/// Reserves a key. If one is reserved for the DID already, that one stays and is the answer. `None` if `most` keys are reserved.
///
/// # Errors
/// When the database cannot be written.
pub async fn reserve(tx: &mut Tx, new: &NewKey<'_>, most: u32) -> Result<Option<String>> {
    const COUNT: &str = "select count(*) from (select 1 from reserved_key limit $1) t";
    const PUT: &str = "insert into reserved_key (public_key, did, sealed, expires_at) values ($1, $2, $3, $4) \
                       on conflict (did) do update set \
                       public_key = case when reserved_key.expires_at > $5 then reserved_key.public_key else excluded.public_key end, \
                       sealed = case when reserved_key.expires_at > $5 then reserved_key.sealed else excluded.sealed end, \
                       expires_at = excluded.expires_at returning public_key";
    let failed = || Error::during("reserve", "signing key");
    if let Some(did) = new.did
        && let Some(known) = for_did(&mut *tx, did, new.now).await?
    {
        return Ok(Some(known.public_key));
    }
    let (count,): (i64,) =
        on!(&mut *tx, conn => sqlx::query_as(COUNT).bind(i64::from(most)).fetch_one(conn)).map_err(failed())?;
    if count >= i64::from(most) {
        return Ok(None);
    }
    let (key,): (String,) = on!(tx, conn => sqlx::query_as(PUT)
        .bind(new.public_key)
        .bind(new.did.map(Did::as_str))
        .bind(new.sealed)
        .bind(new.expires_at)
        .bind(new.now)
        .fetch_one(conn))
    .map_err(failed())?;
    Ok(Some(key))
}

pub(crate) const FOR_DID: &str = "select public_key, sealed, account_id from reserved_key where did = $1 and (expires_at > $2 or account_id is not null)";
pub(crate) const BY_KEY: &str = "select public_key, sealed, account_id from reserved_key where public_key = $1 and (expires_at > $2 or account_id is not null)";
pub(crate) const FOR_ACCOUNT: &str = "select public_key, sealed, account_id from reserved_key where account_id = $1";

/// The key that is reserved for a DID. `now` is in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn for_did<'a>(source: impl Into<Source<'a>>, did: &Did, now: i64) -> Result<Option<ReservedKey>> {
    let row: Option<Row> =
        on!(source, conn => sqlx::query_as(FOR_DID).bind(did.as_str()).bind(now).fetch_optional(conn))
            .map_err(Error::during("read reserved key of", did))?;
    Ok(row.map(ReservedKey::from))
}

/// The reserved key with this public key. `now` is in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_key<'a>(source: impl Into<Source<'a>>, public_key: &str, now: i64) -> Result<Option<ReservedKey>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(BY_KEY).bind(public_key).bind(now).fetch_optional(conn))
        .map_err(Error::during("read reserved key", public_key))?;
    Ok(row.map(ReservedKey::from))
}

/// The key that an account is changing to.
///
/// # Errors
/// When the database cannot be read.
pub async fn for_account<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<ReservedKey>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(FOR_ACCOUNT).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read reserved key of account", id))?;
    Ok(row.map(ReservedKey::from))
}

/// Notes that an account changes to a reserved key. Returns `false` if the account is changing its key already, or another one changes to this
/// key; the transaction can then only be rolled back. `now` is in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn begin_change(tx: &mut Tx, id: AccountId, public_key: &str, now: i64) -> Result<bool> {
    const SQL: &str =
        "update reserved_key set account_id = $2, changing_since = $3 where public_key = $1 and account_id is null";
    match execute!(tx, SQL, public_key, id.0, now) {
        Ok(changed) => Ok(changed == 1),
        Err(error) if violates_unique(&error, "reserved_key", "account_id") => Ok(false),
        Err(error) => Err(Error::during("begin change of key of account", id)(error)),
    }
}

/// Notes that an account does not change to a reserved key after all.
///
/// # Errors
/// When the database cannot be written.
pub async fn cancel_change(tx: &mut Tx, id: AccountId) -> Result<()> {
    const SQL: &str = "update reserved_key set account_id = null, changing_since = null where account_id = $1";
    execute!(tx, SQL, id.0).map_err(Error::during("cancel change of key of account", id))?;
    Ok(())
}

pub(crate) const UNFINISHED: &str = "select r.account_id, a.did from reserved_key r join account a on a.id = r.account_id \
                                     where r.changing_since < $1 order by r.account_id limit $2";

/// The accounts that began to change their key before a time, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn unfinished_changes<'a>(
    source: impl Into<Source<'a>>,
    before: i64,
    limit: u32,
) -> Result<Vec<(AccountId, Did)>> {
    let rows: Vec<(i64, Text<Did>)> =
        on!(source, conn => sqlx::query_as(UNFINISHED).bind(before).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "unfinished changes of keys"))?;
    Ok(rows.into_iter().map(|(id, did)| (AccountId(id), did.0)).collect())
}

/// Forgets a reserved key: an account has it now. Returns whether it was there.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget(tx: &mut Tx, public_key: &str) -> Result<bool> {
    const SQL: &str = "delete from reserved_key where public_key = $1";
    let gone = execute!(tx, SQL, public_key).map_err(Error::during("forget reserved key", public_key))?;
    Ok(gone == 1)
}

/// Forgets the keys that expired before a time, in microseconds. Returns their number.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_expired(tx: &mut Tx, before: i64) -> Result<u64> {
    const SQL: &str = "delete from reserved_key where expires_at < $1 and account_id is null";
    execute!(tx, SQL, before).map_err(Error::during("forget", "expired reserved keys"))
}
