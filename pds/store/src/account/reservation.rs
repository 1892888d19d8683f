//! Accounts whose names are reserved while their DIDs are being published.
//!
//! A DID is published in a directory outside any transaction. So a first transaction reserves the account (and consumes
//! the invite), then the DID is published, then a second one activates it together with its repository and events. If
//! publishing fails the reservation is given back; if the process dies in between, a job gives it back later.

use pds_syntax::{Did, Handle};

use super::AccountId;
use crate::{
    Error, Result, Source, Tx,
    column::Text,
    error::violates_unique,
    source::{execute, on},
};

/// An account before its DID is published.
#[derive(Clone)]
pub struct NewAccount {
    /// Permanent identifier.
    pub did: Did,
    /// The first handle.
    pub handle: Handle,
    /// Stored in lower case.
    pub email: Option<String>,
    /// In PHC format.
    pub password_hash: Option<String>,
    /// The repository's signing key, sealed.
    pub signing_key: Vec<u8>,
    /// When it is reserved; microseconds.
    pub created_at: i64,
}

/// A reserved account that was neither activated nor given back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// The account's key.
    pub id: AccountId,
    /// The DID, which may or may not have been published.
    pub did: Did,
    /// The handle that is held.
    pub handle: Handle,
    /// When it was reserved; microseconds.
    pub created_at: i64,
}

/// Reserves an account.
///
/// # Errors
/// [`Error::DidTaken`], [`Error::HandleTaken`], [`Error::EmailTaken`]; the transaction can then only be rolled back.
pub async fn reserve(tx: &mut Tx, new: &NewAccount) -> Result<AccountId> {
    const SQL: &str = "insert into account (did, handle, email, password_hash, signing_key, created_at) \
                       values ($1, $2, $3, $4, $5, $6) returning id";
    let email = new.email.as_deref().map(str::to_lowercase);
    let (id,): (i64,) = on!(tx, conn => sqlx::query_as(SQL)
        .bind(new.did.as_str())
        .bind(new.handle.as_str())
        .bind(email)
        .bind(new.password_hash.as_deref())
        .bind(&*new.signing_key)
        .bind(new.created_at)
        .fetch_one(conn))
    .map_err(|error| {
        if violates_unique(&error, "account", "did") {
            Error::DidTaken { did: new.did.clone() }
        } else if violates_unique(&error, "account", "handle") {
            Error::HandleTaken { handle: new.handle.clone() }
        } else if violates_unique(&error, "account", "email") {
            Error::EmailTaken
        } else {
            Error::during("reserve account", &new.did)(error)
        }
    })?;
    Ok(AccountId(id))
}

/// Turns a reservation into an account.
///
/// # Errors
/// [`Error::NotReserved`] if it was given back meanwhile, or is active already.
pub async fn activate(tx: &mut Tx, id: AccountId, at: i64) -> Result<()> {
    const SQL: &str = "update account set activated_at = $2 where id = $1 and activated_at is null";
    const RETURNED: &str = "delete from tombstone where did = (select did from account where id = $1)";
    execute!(&mut *tx, RETURNED, id.0).map_err(Error::during("forget the tombstone of account", id))?;
    match execute!(tx, SQL, id.0, at).map_err(Error::during("activate account", id))? {
        0 => Err(Error::NotReserved { id }),
        _ => Ok(()),
    }
}

/// Gives a reservation back: its names are free and its invite can be used again. Does nothing to an active account.
/// Says whether there was a reservation.
///
/// # Errors
/// When the database cannot be written.
pub async fn give_back(tx: &mut Tx, id: AccountId) -> Result<bool> {
    // Locks the row first, so that a concurrent activation either has won already or will find nothing.
    const LOCK: &str = "update account set activated_at = null where id = $1 and activated_at is null";
    const INVITE: &str = "update invite_code set used = used - 1 \
                          where code in (select code from invite_code_use where account_id = $1)";
    const DELETE: &str = "delete from account where id = $1";
    let failed = || Error::during("give back reservation of account", id);
    if execute!(&mut *tx, LOCK, id.0).map_err(failed())? == 0 {
        return Ok(false);
    }
    execute!(&mut *tx, INVITE, id.0).map_err(failed())?;
    execute!(&mut *tx, DELETE, id.0).map_err(failed())?;
    Ok(true)
}

/// Reservations made before `before` (microseconds), oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn stale_reservations<'a>(
    source: impl Into<Source<'a>>,
    before: i64,
    limit: u32,
) -> Result<Vec<Reservation>> {
    let rows: Vec<(i64, Text<Did>, Text<Handle>, i64)> = on!(source, conn => sqlx::query_as(STALE)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(conn))
    .map_err(Error::during("list", "stale reservations"))?;
    Ok(rows
        .into_iter()
        .map(|(id, did, handle, created_at)| Reservation {
            id: AccountId(id),
            did: did.0,
            handle: handle.0,
            created_at,
        })
        .collect())
}

pub(crate) const STALE: &str = "select id, did, handle, created_at from account \
                                where activated_at is null and created_at < $1 order by created_at limit $2";
