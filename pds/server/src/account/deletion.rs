//! The end of an account: deletion, restoration within a grace period, and the purge of its data.

use std::time::{Duration, Instant};

use pds_repo::event::{self, AccountStatus, Frame};
use pds_store::{
    Db, Tx,
    account::{self, Account, Deleted, Purge, Restored},
    email_token::Purpose,
    event as events, repo,
};
use pds_syntax::Handle;
use tokio::time::sleep;

use super::email::{self, Emails};
use crate::{
    clock,
    mail::{Kind, Languages},
};

/// Records and blobs that one transaction of a purge removes: as many as an import stores at once while others write (ADR 29).
const PORTION: u32 = 25;

/// Deletes an account and announces it. Its names are free, its sessions are dead, to others it does not exist; its data is purged after `grace`.
/// `now` is in microseconds. Says whether there was such an account.
///
/// # Errors
/// When the database fails.
pub async fn delete(tx: &mut Tx, account: &Account, now: i64, grace: Duration) -> pds_store::Result<bool> {
    let purge_at = now.saturating_add(i64::try_from(grace.as_micros()).unwrap_or(i64::MAX));
    if !account::delete(tx, account.id, now, purge_at).await? {
        return Ok(false);
    }
    let frame = event::account(&account.did, AccountStatus::Deleted, &clock::text(now));
    events::append(tx, &[frame], now).await?;
    Ok(true)
}

/// As [`delete`], with a code that was mailed to the owner, who is told that it is done. `when` is now, in microseconds, and the grace.
///
/// # Errors
/// When the code is not good; nothing is changed then.
pub async fn with_code(
    db: &Db,
    emails: &Emails,
    account: &Account,
    code: &str,
    (now, grace): (i64, Duration),
    languages: &Languages,
) -> Result<(), email::Error> {
    const DAY: u64 = 24 * 60 * 60;
    let mut tx = db.begin().await?;
    let account = account::lock(&mut tx, account.id).await?.filter(Account::exists);
    let account = account.ok_or(email::Error::Invalid)?;
    email::check(&mut tx, &account, Purpose::DeleteAccount, code, now).await?;
    let days = grace.as_secs().div_ceil(DAY).to_string();
    emails.tell(&mut tx, &account, Kind::AccountDeleted, languages, &[("days", &days)]).await?;
    delete(&mut tx, &account, now, grace).await?;
    tx.commit().await?;
    emails.mailer().wake();
    Ok(())
}

/// Undoes a deletion and announces the account again. It gets `handle`, or the one that it had. `None` if its purge has begun. `now` is in
/// microseconds.
///
/// # Errors
/// [`pds_store::Error::HandleTaken`] if another account has the handle, or when the database fails; roll the transaction back.
pub async fn restore(
    tx: &mut Tx,
    deleted: &Deleted,
    now: i64,
    handle: Option<&Handle>,
) -> pds_store::Result<Option<Restored>> {
    let Some(restored) = account::restore(tx, deleted.id, now, handle).await? else { return Ok(None) };
    if let Some(account) = account::by_id(&mut *tx, deleted.id).await? {
        let frames = announcement(tx, &account, now).await?;
        events::append(tx, &frames, now).await?;
    }
    Ok(Some(restored))
}

/// Removes all data of a deleted account, in portions, and leaves a tombstone. A purge that was interrupted is continued by the next call. Between
/// portions it pauses for as long as one took, since on SQLite all other writes wait for a portion.
///
/// # Errors
/// When the database fails.
pub async fn purge(db: &Db, deleted: &Deleted, now: i64) -> pds_store::Result<()> {
    loop {
        let began = Instant::now();
        let mut tx = db.begin().await?;
        let purged = account::purge_portion(&mut tx, deleted.id, now, PORTION).await?;
        if purged == Purge::Empty {
            account::bury(&mut tx, deleted.id).await?;
        }
        tx.commit().await?;
        if purged == Purge::Empty {
            return Ok(());
        }
        sleep(began.elapsed()).await;
    }
}

/// The events of an account that is back. Followers have forgotten it.
async fn announcement(tx: &mut Tx, account: &Account, now: i64) -> pds_store::Result<Vec<Frame>> {
    let (did, time) = (&account.did, &clock::text(now));
    let status = match account.status() {
        account::Status::Active => AccountStatus::Active,
        account::Status::TakenDown => AccountStatus::Takendown,
        account::Status::Suspended { .. } => AccountStatus::Suspended,
        account::Status::Deactivated => AccountStatus::Deactivated,
        account::Status::Creating | account::Status::Deleted => AccountStatus::Deleted,
    };
    let mut frames = vec![event::account(did, status, time)];
    if status == AccountStatus::Active {
        frames.push(event::identity(did, Some(&account.handle), time));
        if let Some(root) = repo::root(tx, account.id).await? {
            frames.push(event::sync(did, root.head.rev, &root.head.commit, &root.commit_bytes, time));
        }
    }
    Ok(frames)
}
