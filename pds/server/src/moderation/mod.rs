//! Takedowns of accounts, records and blobs by the host, and lifting them.
//!
//! A takedown hides; it deletes nothing, so that it can be undone. Each of the three has a column in the database that says whether it is
//! taken down; whatever reads accounts, records and blobs checks it.

use pds_repo::{
    Cid,
    event::{self, AccountStatus, Frame},
};
use pds_store::{
    AccountId, Db, Tx,
    account::{self, Account, Status},
    blob, event as events, record, repo, session,
};
use pds_syntax::{Did, RepoPath};

use crate::clock;

/// Whether something is taken down.
#[derive(Clone, Debug)]
pub enum Takedown {
    /// The subject is taken down, under this reference to the decision.
    Applied(String),
    /// The subject is not taken down.
    Lifted,
}

/// A change of an account's state. `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// The host's decision.
    pub takedown: Option<Takedown>,
    /// What the owner could change too.
    pub deactivated: Option<bool>,
    /// When an account that is deactivated is to be deleted; microseconds.
    pub delete_after: Option<i64>,
}

impl Takedown {
    fn reference(&self) -> Option<&str> {
        match self {
            Self::Applied(reference) => Some(reference),
            Self::Lifted => None,
        }
    }
}

/// Changes an account's state, and announces the new state if it differs. `now` is in microseconds. Returns whether there is such an
/// account.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn change_account(db: &Db, did: &Did, change: &AccountChange, now: i64) -> pds_store::Result<bool> {
    let mut tx = db.begin().await?;
    let Some(before) = locked(&mut tx, did).await? else { return Ok(false) };
    if let Some(takedown) = &change.takedown {
        account::set_takedown(&mut tx, before.id, takedown.reference()).await?;
        if let Takedown::Applied(_) = takedown {
            session::revoke_all(&mut tx, before.id).await?;
        }
    }
    match change.deactivated {
        Some(true) if before.deactivated_at.is_none() || before.delete_after != change.delete_after => {
            let since = before.deactivated_at.unwrap_or(now);
            account::set_deactivated(&mut tx, before.id, Some(since), change.delete_after).await?;
        }
        Some(false) if before.deactivated_at.is_some() => {
            account::set_deactivated(&mut tx, before.id, None, None).await?;
        }
        _ => {}
    }
    let after = account::by_id(&mut tx, before.id).await?.unwrap_or_else(|| before.clone());
    if after.status() != before.status() {
        let frames = announcement(&mut tx, &before, &after, &clock::text(now)).await?;
        events::append(&mut tx, &frames, now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Hides a record of an account, or shows it again. It stays part of the repository. Returns whether there is such a record.
///
/// # Errors
/// When the database fails.
pub async fn set_record(db: &Db, did: &Did, path: &RepoPath, takedown: &Takedown) -> pds_store::Result<bool> {
    let mut tx = db.begin().await?;
    let Some(id) = id(&mut tx, did).await? else { return Ok(false) };
    let found = record::set_takedown(&mut tx, id, path, takedown.reference()).await?;
    tx.commit().await?;
    Ok(found)
}

/// Hides a blob of an account, or shows it again. `now` is in microseconds. Returns whether there is such a blob.
///
/// # Errors
/// When the database fails.
pub async fn set_blob(db: &Db, did: &Did, cid: &Cid, takedown: &Takedown, now: i64) -> pds_store::Result<bool> {
    let mut tx = db.begin().await?;
    let Some(id) = id(&mut tx, did).await? else { return Ok(false) };
    let found = blob::set_takedown(&mut tx, id, cid, takedown.reference(), now).await?;
    tx.commit().await?;
    Ok(found)
}

async fn id(tx: &mut Tx, did: &Did) -> pds_store::Result<Option<AccountId>> {
    let found = account::by_did(tx, did).await?;
    Ok(found.filter(Account::exists).map(|account| account.id))
}

/// The account, locked, so that two changes at once are announced in the order in which they are made.
async fn locked(tx: &mut Tx, did: &Did) -> pds_store::Result<Option<Account>> {
    match id(tx, did).await? {
        Some(id) => account::lock(tx, id).await,
        None => Ok(None),
    }
}

/// The events of a change of state. Followers saw no events of an account while it was deactivated, so its activation also announces its
/// identity and repository.
async fn announcement(tx: &mut Tx, before: &Account, after: &Account, time: &str) -> pds_store::Result<Vec<Frame>> {
    let did = &after.did;
    let status = match after.status() {
        Status::Active => AccountStatus::Active,
        Status::TakenDown => AccountStatus::Takendown,
        Status::Deleted => AccountStatus::Deleted,
        Status::Deactivated | Status::Creating => AccountStatus::Deactivated,
    };
    let mut frames = vec![event::account(did, status, time)];
    if before.status() == Status::Deactivated && status == AccountStatus::Active {
        frames.push(event::identity(did, Some(&after.handle), time));
        if let Some(root) = repo::root(tx, after.id).await? {
            frames.push(event::sync(did, root.head.rev, &root.head.commit, &root.commit_bytes, time));
        }
    }
    Ok(frames)
}
