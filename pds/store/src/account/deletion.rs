//! The end of an account.
//!
//! A deletion frees the names at once and hides everything else, so that it can be undone for a while. A purge then removes the data in portions,
//! each of its own transaction, and last the account's row together with every row that refers to it. What a purge has begun the next one goes on
//! with, wherever it was interrupted.

use pds_syntax::{Did, Handle};

use super::AccountId;
use crate::{
    Db, Error, Result, Source, Tx, blob,
    column::Text,
    error::violates_unique,
    row::row,
    source::{execute, on},
};

/// Why a deleted account is taken down to the previous release, which knows no deletion.
const REFERENCE: &str = "deleted";

/// A deleted account whose data is still there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deleted {
    /// The account's key.
    pub id: AccountId,
    /// The permanent identifier.
    pub did: Did,
    /// The name that it had.
    pub handle: Handle,
    /// When it was deleted; microseconds.
    pub deleted_at: i64,
    /// When its data is to be removed; microseconds.
    pub purge_at: i64,
}

/// A restored account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Restored {
    /// Whether it had an e-mail address that another account has now.
    pub lost_email: bool,
}

/// What a portion of a purge has left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purge {
    /// There may be more.
    More,
    /// Only the account's row and what its deletion removes.
    Empty,
}

row! {
    struct DeletedRow {
        id: i64,
        did: Text<Did>,
        handle: Text<Handle>,
        deleted_at: i64,
        purge_at: i64,
    }
}

impl From<DeletedRow> for Deleted {
    fn from(row: DeletedRow) -> Self {
        Self {
            id: AccountId(row.id),
            did: row.did.0,
            handle: row.handle.0,
            deleted_at: row.deleted_at,
            purge_at: row.purge_at,
        }
    }
}

/// Deletes an account: its handle and e-mail address are free, its tokens void, its repository closed. The data stays until it is purged. Says
/// whether there was such an account. Times are in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete(tx: &mut Tx, id: AccountId, at: i64, purge_at: i64) -> Result<bool> {
    const KEEP: &str = "insert into deleted_account \
                        (account_id, handle, email, email_confirmed_at, deactivated_at, takedown_ref, purge_at) \
                        select id, handle, email, email_confirmed_at, deactivated_at, takedown_ref, $2 from account \
                        where id = $1 and activated_at is not null and deleted_at is null";
    const HIDE: &str = "update account set deleted_at = $2, handle = $3, email = null, email_confirmed_at = null, \
                        delete_after = null, takedown_ref = $4, token_epoch = token_epoch + 1 where id = $1";
    const SESSIONS: &str = "delete from refresh_token where account_id = $1";
    const CODES: &str = "delete from email_token where account_id = $1";
    let failed = || Error::during("delete account", id);
    if execute!(&mut *tx, KEEP, id.0, purge_at).map_err(failed())? == 0 {
        return Ok(false);
    }
    // Nobody can have this name, and it has to differ from the others.
    let placeholder = format!("deleted-{id}.invalid");
    execute!(&mut *tx, HIDE, id.0, at, placeholder, REFERENCE).map_err(failed())?;
    execute!(&mut *tx, SESSIONS, id.0).map_err(failed())?;
    execute!(&mut *tx, CODES, id.0).map_err(failed())?;
    Ok(true)
}

/// Undoes a deletion, unless the purge has begun. The account gets `handle`, or the one that it had; and its e-mail address, unless another account
/// has it. Returns `None` if there is no such deleted account.
///
/// # Errors
/// [`Error::HandleTaken`] if another account has the handle; the transaction can then only be rolled back.
pub async fn restore(tx: &mut Tx, id: AccountId, now: i64, handle: Option<&Handle>) -> Result<Option<Restored>> {
    const KEPT: &str = "delete from deleted_account where account_id = $1 and purge_at > $2 \
                        returning handle, email, email_confirmed_at, deactivated_at, takedown_ref";
    const EMAIL: &str = "select count(*) from account where email = $1";
    const SHOW: &str = "update account set deleted_at = null, handle = $2, email = $3, email_confirmed_at = $4, \
                        deactivated_at = $5, takedown_ref = $6 where id = $1";
    type Kept = (Text<Handle>, Option<String>, Option<i64>, Option<i64>, Option<String>);
    let failed = || Error::during("restore account", id);
    let kept: Option<Kept> =
        on!(&mut *tx, conn => sqlx::query_as(KEPT).bind(id.0).bind(now).fetch_optional(conn)).map_err(failed())?;
    let Some((former, email, confirmed_at, deactivated_at, takedown_ref)) = kept else { return Ok(None) };
    let handle = handle.unwrap_or(&former.0);
    let (taken,): (i64,) =
        on!(&mut *tx, conn => sqlx::query_as(EMAIL).bind(email.as_deref()).fetch_one(conn)).map_err(failed())?;
    let lost_email = taken > 0;
    let (email, confirmed_at) = if lost_email { (None, None) } else { (email, confirmed_at) };
    execute!(tx, SHOW, id.0, handle.as_str(), email, confirmed_at, deactivated_at, takedown_ref).map_err(|error| {
        match violates_unique(&error, "account", "handle") {
            true => Error::HandleTaken { handle: handle.clone() },
            false => failed()(error),
        }
    })?;
    Ok(Some(Restored { lost_email }))
}

/// The deleted account that had this handle, if its data is still there. Of several the one that was deleted last.
///
/// # Errors
/// When the database cannot be read.
pub async fn deleted_with_handle<'a>(source: impl Into<Source<'a>>, handle: &Handle) -> Result<Option<Deleted>> {
    const SQL: &str = "select a.id, a.did, d.handle, a.deleted_at, d.purge_at from deleted_account d \
                       join account a on a.id = d.account_id where d.handle = $1 and a.deleted_at is not null \
                       order by a.deleted_at desc, a.id desc limit 1";
    let row: Option<DeletedRow> = on!(source, conn => sqlx::query_as(SQL).bind(handle.as_str()).fetch_optional(conn))
        .map_err(Error::during("read deleted account", handle))?;
    Ok(row.map(Deleted::from))
}

/// The deleted account with this DID, if its data is still there.
///
/// # Errors
/// When the database cannot be read.
pub async fn deleted<'a>(source: impl Into<Source<'a>>, did: &Did) -> Result<Option<Deleted>> {
    const SQL: &str = "select a.id, a.did, d.handle, a.deleted_at, d.purge_at from account a \
                       join deleted_account d on d.account_id = a.id where a.did = $1 and a.deleted_at is not null";
    let row: Option<DeletedRow> = on!(source, conn => sqlx::query_as(SQL).bind(did.as_str()).fetch_optional(conn))
        .map_err(Error::during("read deleted account", did))?;
    Ok(row.map(Deleted::from))
}

pub(crate) const PURGEABLE: &str = "select a.id, a.did, d.handle, a.deleted_at, d.purge_at from deleted_account d \
                                    join account a on a.id = d.account_id \
                                    where d.purge_at <= $1 and a.deleted_at is not null order by d.purge_at limit $2";

/// Deleted accounts whose data is to be removed by `now`, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn purgeable<'a>(source: impl Into<Source<'a>>, now: i64, limit: u32) -> Result<Vec<Deleted>> {
    let rows: Vec<DeletedRow> =
        on!(source, conn => sqlx::query_as(PURGEABLE).bind(now).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "deleted accounts"))?;
    Ok(rows.into_iter().map(Deleted::from).collect())
}

pub(crate) const DUE: &str = "select id, did from account where delete_after is not null and delete_after <= $1 \
                              and deactivated_at is not null and deleted_at is null order by delete_after limit $2";

/// Deactivated accounts whose owners asked for their deletion by `now`, in microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn due_for_deletion<'a>(
    source: impl Into<Source<'a>>,
    now: i64,
    limit: u32,
) -> Result<Vec<(AccountId, Did)>> {
    let rows: Vec<(i64, Text<Did>)> =
        on!(source, conn => sqlx::query_as(DUE).bind(now).bind(i64::from(limit)).fetch_all(conn))
            .map_err(Error::during("list", "accounts due for deletion"))?;
    Ok(rows.into_iter().map(|(id, did)| (AccountId(id), did.0)).collect())
}

/// References to blobs that a portion of a purge removes.
const REFERENCES: i64 = 2_000;
/// Bytes of records after which a portion of a purge removes no more: freeing the pages of long records takes time.
const BYTES: i64 = 4 << 20;

/// Removes up to `limit` blobs and as many records of an account that was deleted, of long records fewer, and some references to blobs. The objects of the blobs are noted as garbage, due at `now`.
///
/// # Errors
/// When the database cannot be written.
pub async fn purge_portion(tx: &mut Tx, id: AccountId, now: i64, limit: u32) -> Result<Purge> {
    const BLOBS: &str = "delete from blob where repo_id = $1 and cid in \
                         (select cid from blob where repo_id = $1 order by cid limit $2) returning storage_key";
    const RECORDS: &str = "delete from record where repo_id = $1 and path in (select path from \
                           (select path, sum(bytes) over (order by path) - bytes as earlier from \
                           (select path, length(body) as bytes from record where repo_id = $1 order by path limit $2) candidate) \
                           fitting where earlier < $3)";
    const RELEASE: &str = "delete from record_blob where repo_id = $1 and (blob_cid, path) in \
                           (select blob_cid, path from record_blob where repo_id = $1 order by blob_cid, path limit $2)";
    let failed = || Error::during("purge account", id);
    let limit = i64::from(limit);
    // Of two that purge the same account one waits, so that they do not lock each other's rows.
    super::lock(&mut *tx, id).await?;
    let keys: Vec<(String,)> =
        on!(&mut *tx, conn => sqlx::query_as(BLOBS).bind(id.0).bind(limit).fetch_all(conn)).map_err(failed())?;
    for (key,) in &keys {
        blob::discard(tx, key, now).await?;
    }
    let mut removed = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    removed += execute!(&mut *tx, RECORDS, id.0, limit, BYTES).map_err(failed())?;
    removed += execute!(&mut *tx, RELEASE, id.0, REFERENCES).map_err(failed())?;
    Ok(if removed > 0 { Purge::More } else { Purge::Empty })
}

/// Removes what is left of a deleted account and leaves a tombstone. Says whether there was such an account.
///
/// # Errors
/// When the database cannot be written.
pub async fn bury(tx: &mut Tx, id: AccountId) -> Result<bool> {
    const TOMBSTONE: &str = "insert into tombstone (did, deleted_at) \
                             select did, deleted_at from account where id = $1 and deleted_at is not null \
                             on conflict (did) do update set deleted_at = excluded.deleted_at";
    const INVITES: &str = "delete from invite_code where for_account = (select did from account where id = $1)";
    const MADE: &str = "update invite_code set created_by = 'deleted' \
                        where created_by = (select did from account where id = $1)";
    const DELETE: &str = "delete from account where id = $1 and deleted_at is not null";
    let failed = || Error::during("purge account", id);
    if execute!(&mut *tx, TOMBSTONE, id.0).map_err(failed())? == 0 {
        return Ok(false);
    }
    execute!(&mut *tx, INVITES, id.0).map_err(failed())?;
    execute!(&mut *tx, MADE, id.0).map_err(failed())?;
    execute!(&mut *tx, DELETE, id.0).map_err(failed())?;
    Ok(true)
}

/// When the account of this DID was deleted, if it was and all else of it is gone; microseconds.
///
/// # Errors
/// When the database cannot be read.
pub async fn tombstone<'a>(source: impl Into<Source<'a>>, did: &Did) -> Result<Option<i64>> {
    const SQL: &str = "select deleted_at from tombstone where did = $1";
    let row: Option<(i64,)> = on!(source, conn => sqlx::query_as(SQL).bind(did.as_str()).fetch_optional(conn))
        .map_err(Error::during("read tombstone of", did))?;
    Ok(row.map(|(at,)| at))
}

/// The tables that have anything about an account, but for its tombstone. For tests of the purge.
///
/// # Errors
/// When the database cannot be read.
#[doc(hidden)]
pub async fn leftovers(db: &Db, id: AccountId, did: &Did) -> Result<Vec<String>> {
    const BY_ID: [(&str, &str); 16] = [
        ("account", "select count(*) from account where id = $1"),
        ("repo", "select count(*) from repo where account_id = $1"),
        ("record", "select count(*) from record where repo_id = $1"),
        ("record_blob", "select count(*) from record_blob where repo_id = $1"),
        ("blob", "select count(*) from blob where repo_id = $1"),
        ("blob_usage", "select count(*) from blob_usage where account_id = $1"),
        ("refresh_token", "select count(*) from refresh_token where account_id = $1"),
        ("invite_code_use", "select count(*) from invite_code_use where account_id = $1"),
        ("email_token", "select count(*) from email_token where account_id = $1"),
        ("mail", "select count(*) from mail where account_id = $1"),
        ("deleted_account", "select count(*) from deleted_account where account_id = $1"),
        ("preference", "select count(*) from preference where account_id = $1"),
        ("reserved_key", "select count(*) from reserved_key where account_id = $1"),
        ("handle_change", "select count(*) from handle_change where account_id = $1"),
        ("submitted_operation", "select count(*) from submitted_operation where account_id = $1"),
        ("app_password", "select count(*) from app_password where account_id = $1"),
    ];
    const BY_DID: &str = "select count(*) from invite_code where for_account = $1 or created_by = $1";
    let mut left = Vec::new();
    for (table, sql) in BY_ID {
        let (count,): (i64,) = on!(db, conn => sqlx::query_as(sql).bind(id.0).fetch_one(conn))
            .map_err(Error::during("look for what is left of account", id))?;
        left.extend((count > 0).then(|| table.to_owned()));
    }
    let (count,): (i64,) = on!(db, conn => sqlx::query_as(BY_DID).bind(did.as_str()).fetch_one(conn))
        .map_err(Error::during("look for what is left of account", id))?;
    left.extend((count > 0).then(|| "invite_code".to_owned()));
    Ok(left)
}
