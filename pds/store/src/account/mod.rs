//! Accounts: their names and their state.
//!
//! An account begins as a reservation (`reservation`), which holds its DID, handle and e-mail address while the DID is being published.
//! E-mail addresses are stored in lower case.

mod current;
mod deletion;
mod handle_change;
mod id;
mod key;
mod reservation;
mod row;
mod search;
mod state;
mod submitted_operation;
mod suspension;

use pds_syntax::{Did, Handle};

use crate::{
    Error, Result, Source, Tx,
    column::Text,
    error::violates_unique,
    row::row,
    source::{execute, on},
    tx::Open,
};

pub(crate) use current::{CURRENT_MANY, CURRENT_ONE};
pub use current::{Current, Question, current};
pub(crate) use deletion::{DUE, PURGEABLE};
pub use deletion::{
    Deleted, Purge, Restored, bury, delete, deleted, deleted_with_handle, due_for_deletion, leftovers, purge_portion,
    purgeable, restore, tombstone,
};
pub use handle_change::{HandleChange, begin_handle_change, end_handle_change, unfinished_handle_changes};
pub use id::{AccountId, AppPasswordId};
pub(crate) use key::SIGNING_KEY;
pub use key::{recovery_key, set_recovery_key, set_signing_key, signing_key};
pub(crate) use reservation::STALE;
pub use reservation::{NewAccount, Reservation, activate, give_back, reserve, stale_reservations};
use row::{account_columns, account_row};
pub(crate) use row::{status_columns, status_row};
pub(crate) use search::{ALL, BY_PREFIX};
pub use search::{all, by_email_prefix};
pub(crate) use state::Causes;
pub use state::{Account, Status};
pub use submitted_operation::{Submission, begin_submission, end_submission, unfinished_submissions};
pub(crate) use suspension::OVER;
pub use suspension::{Suspension, over_suspensions, set_suspension, suspension};

account_row! {
    struct Row {}
}

macro_rules! select_account {
    ($condition:literal) => {
        concat!("select ", account_columns!(""), " from account where ", $condition)
    };
}

pub(crate) const BY_ID: &str = select_account!("id = $1");
pub(crate) const BY_DID: &str = select_account!("did = $1");
pub(crate) const BY_HANDLE: &str = select_account!("handle = $1");
pub(crate) const BY_EMAIL: &str = select_account!("email = $1");

/// The account with this key.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_id<'a>(source: impl Into<Source<'a>>, id: AccountId) -> Result<Option<Account>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("read account", id))?;
    Ok(row.map(Account::from))
}

/// The account as it is now; until the transaction ends nobody else changes it.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock(tx: &mut Tx, id: AccountId) -> Result<Option<Account>> {
    // On SQLite there is no other writer. On Postgres rows that refer to the account may still be added.
    const LOCK: &str = select_account!("id = $1 for no key update");
    let sql = if matches!(tx.open, Open::Postgres(_)) { LOCK } else { BY_ID };
    let row: Option<Row> = on!(tx, conn => sqlx::query_as(sql).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("lock account", id))?;
    Ok(row.map(Account::from))
}

/// The account with this DID, reserved ones included.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_did<'a>(source: impl Into<Source<'a>>, did: &Did) -> Result<Option<Account>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(BY_DID).bind(did.as_str()).fetch_optional(conn))
        .map_err(Error::during("read account", did))?;
    Ok(row.map(Account::from))
}

/// The account with this handle, reserved ones included.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_handle<'a>(source: impl Into<Source<'a>>, handle: &Handle) -> Result<Option<Account>> {
    let row: Option<Row> = on!(source, conn => sqlx::query_as(BY_HANDLE).bind(handle.as_str()).fetch_optional(conn))
        .map_err(Error::during("read account", handle))?;
    Ok(row.map(Account::from))
}

/// The account with this e-mail address in whatever case, reserved ones included.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_email<'a>(source: impl Into<Source<'a>>, email: &str) -> Result<Option<Account>> {
    let email = email.to_lowercase();
    let row: Option<Row> = on!(source, conn => sqlx::query_as(BY_EMAIL).bind(&*email).fetch_optional(conn))
        .map_err(Error::during("read account", "by e-mail"))?;
    Ok(row.map(Account::from))
}

/// How many accounts there are, without reserved ones.
///
/// # Errors
/// When the database cannot be read.
pub async fn count<'a>(source: impl Into<Source<'a>>) -> Result<i64> {
    const SQL: &str = "select count(*) from account where activated_at is not null and deleted_at is null";
    let (count,): (i64,) =
        on!(source, conn => sqlx::query_as(SQL).fetch_one(conn)).map_err(Error::during("count", "accounts"))?;
    Ok(count)
}

/// Renames an account and returns its former handle, or `None` if there is no such account.
///
/// # Errors
/// [`Error::HandleTaken`]; the transaction can then only be rolled back.
pub async fn set_handle(tx: &mut Tx, id: AccountId, handle: &Handle) -> Result<Option<Handle>> {
    const READ: &str = "select handle from account where id = $1";
    const WRITE: &str = "update account set handle = $2 where id = $1 and handle = $3";
    let failed = || Error::during("rename account", id);
    loop {
        let former: Option<(Text<Handle>,)> =
            on!(&mut *tx, conn => sqlx::query_as(READ).bind(id.0).fetch_optional(conn)).map_err(failed())?;
        let Some((Text(former),)) = former else { return Ok(None) };
        let renamed =
            execute!(&mut *tx, WRITE, id.0, handle.as_str(), former.as_str()).map_err(
                |error| match violates_unique(&error, "account", "handle") {
                    true => Error::HandleTaken { handle: handle.clone() },
                    false => failed()(error),
                },
            )?;
        // Another transaction may rename it between the two statements: answer with what was really replaced.
        if renamed == 1 {
            return Ok(Some(former));
        }
    }
}

/// Replaces the password hash and voids all access tokens. Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_password_hash(tx: &mut Tx, id: AccountId, hash: &str) -> Result<bool> {
    const SQL: &str = "update account set password_hash = $2, token_epoch = token_epoch + 1 where id = $1";
    let changed = execute!(tx, SQL, id.0, hash).map_err(Error::during("set password of account", id))?;
    Ok(changed == 1)
}

/// Replaces the hash of the same password by a better one; tokens stay valid. Says whether the account still had the former hash.
///
/// # Errors
/// When the database cannot be written.
pub async fn upgrade_password_hash(tx: &mut Tx, id: AccountId, former: &str, hash: &str) -> Result<bool> {
    const SQL: &str = "update account set password_hash = $3 where id = $1 and password_hash = $2";
    let changed =
        execute!(tx, SQL, id.0, former, hash).map_err(Error::during("upgrade password hash of account", id))?;
    Ok(changed == 1)
}

/// Removes the password, so that nobody can log in until there is a new one, and voids all access tokens. Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_password(tx: &mut Tx, id: AccountId) -> Result<bool> {
    const SQL: &str = "update account set password_hash = null, token_epoch = token_epoch + 1 where id = $1";
    let changed = execute!(tx, SQL, id.0).map_err(Error::during("remove password of account", id))?;
    Ok(changed == 1)
}

/// Voids all access tokens and returns the new epoch, or `None` if there is no such account.
///
/// # Errors
/// When the database cannot be written.
pub async fn bump_epoch(tx: &mut Tx, id: AccountId) -> Result<Option<i32>> {
    const SQL: &str = "update account set token_epoch = token_epoch + 1 where id = $1 returning token_epoch";
    let row: Option<(i32,)> = on!(tx, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn))
        .map_err(Error::during("void tokens of account", id))?;
    Ok(row.map(|(epoch,)| epoch))
}

/// Switches an account off at its owner's wish (`at`, and perhaps when to delete it), or on again (`None`).
/// Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_deactivated(tx: &mut Tx, id: AccountId, at: Option<i64>, delete_after: Option<i64>) -> Result<bool> {
    const SQL: &str = "update account set deactivated_at = $2, delete_after = $3 where id = $1";
    let changed =
        execute!(tx, SQL, id.0, at, delete_after).map_err(Error::during("set deactivation of account", id))?;
    Ok(changed == 1)
}

/// Takes an account down under a reference, or lifts that (`None`). Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_takedown(tx: &mut Tx, id: AccountId, reference: Option<&str>) -> Result<bool> {
    const SQL: &str = "update account set takedown_ref = $2 where id = $1";
    let changed = execute!(tx, SQL, id.0, reference).map_err(Error::during("set takedown of account", id))?;
    Ok(changed == 1)
}

/// Sets the maximum size of an account's blobs in bytes, 0 for no maximum, or lets the host's count again (`None`). Says whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_quota(tx: &mut Tx, id: AccountId, bytes: Option<u64>) -> Result<bool> {
    const SQL: &str = "update account set quota_bytes = $2 where id = $1";
    let bytes = bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let changed = execute!(tx, SQL, id.0, bytes).map_err(Error::during("set quota of account", id))?;
    Ok(changed == 1)
}

/// Notes that the owner has shown control of the e-mail address. Says whether it still is the account's.
///
/// # Errors
/// When the database cannot be written.
pub async fn confirm_email(tx: &mut Tx, id: AccountId, email: &str, at: i64) -> Result<bool> {
    const SQL: &str = "update account set email_confirmed_at = $3 where id = $1 and email = $2";
    let changed = execute!(tx, SQL, id.0, email.to_lowercase(), at)
        .map_err(Error::during("confirm e-mail address of account", id))?;
    Ok(changed == 1)
}

/// Replaces the e-mail address, which is not confirmed then, or removes it. Says whether the account exists.
///
/// # Errors
/// [`Error::EmailTaken`]; the transaction can then only be rolled back.
pub async fn set_email(tx: &mut Tx, id: AccountId, email: Option<&str>) -> Result<bool> {
    const SQL: &str = "update account set email = $2, email_confirmed_at = null where id = $1";
    let email = email.map(str::to_lowercase);
    let changed =
        execute!(tx, SQL, id.0, email).map_err(|error| match violates_unique(&error, "account", "email") {
            true => Error::EmailTaken,
            false => Error::during("set e-mail address of account", id)(error),
        })?;
    Ok(changed == 1)
}

/// Says whether signing in with the password also needs a mailed code. Returns whether the account exists.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_email_auth_factor(tx: &mut Tx, id: AccountId, is_needed: bool) -> Result<bool> {
    const SQL: &str = "update account set email_auth_factor = $2 where id = $1";
    let changed = execute!(tx, SQL, id.0, is_needed).map_err(Error::during("set second factor of account", id))?;
    Ok(changed == 1)
}
