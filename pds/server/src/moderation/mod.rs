//! Takedowns of accounts, records and blobs by the host, suspensions of accounts, and lifting them.
//!
//! A takedown hides; it deletes nothing, so that it can be undone. Each of the three has a column in the database that says whether it is
//! taken down; whatever reads accounts, records and blobs checks it. A suspension is over at its time for readers; it is ended, and its end announced,
//! before the account's next commit ([ADR 38](../../../../docs/adr/0038-a-suspension-is-over-before-it-is-ended.md)).

use pds_repo::{
    Cid,
    event::{self, AccountStatus},
};
use pds_store::{
    AccountId, Db, Tx,
    account::{self, Account, Status, Suspension},
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

/// Whether an account is suspended.
#[derive(Clone, Debug)]
pub enum Suspend {
    /// Until its time.
    Until(Suspension),
    /// The suspension ends before its time.
    Ended,
}

/// A change of an account's state. `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// The host's decision.
    pub takedown: Option<Takedown>,
    /// The host's decision for a time.
    pub suspension: Option<Suspend>,
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
    match &change.suspension {
        Some(Suspend::Until(suspension)) => {
            account::set_suspension(&mut tx, before.id, Some(suspension)).await?;
        }
        Some(Suspend::Ended) => {
            account::set_suspension(&mut tx, before.id, None).await?;
        }
        None => {}
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
    announce(&mut tx, &before, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Ends the suspension of an account whose time has passed by `now` (microseconds), and announces the account's state. Returns whether there was such a
/// suspension: of many that try at once one ends it.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn end_suspension(db: &Db, id: AccountId, now: i64) -> pds_store::Result<bool> {
    let mut tx = db.begin().await?;
    let suspended = account::lock(&mut tx, id).await?.filter(Account::exists);
    let Some(before) = suspended.filter(|account| account.suspension_is_over(now)) else { return Ok(false) };
    account::set_suspension(&mut tx, id, None).await?;
    announce(&mut tx, &before, now).await?;
    tx.commit().await?;
    tracing::info!(account.did = %before.did, "the suspension of {} has ended", before.did);
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

/// Announces the state of an account that had another one before. Followers saw no events of an account while it was deactivated, and perhaps not that
/// its key changed while it was suspended, so its return also announces its identity and repository.
async fn announce(tx: &mut Tx, before: &Account, now: i64) -> pds_store::Result<()> {
    let after = account::by_id(&mut *tx, before.id).await?.unwrap_or_else(|| before.clone());
    let (did, was, is) = (&after.did, announced(before.status()), announced(after.status()));
    if was == is {
        return Ok(());
    }
    let time = clock::text(now);
    let mut frames = vec![event::account(did, is, &time)];
    if matches!(was, AccountStatus::Deactivated | AccountStatus::Suspended) && is == AccountStatus::Active {
        frames.push(event::identity(did, Some(&after.handle), &time));
        if let Some(root) = repo::root(&mut *tx, after.id).await? {
            frames.push(event::sync(did, root.head.rev, &root.head.commit, &root.commit_bytes, &time));
        }
    }
    events::append(tx, &frames, now).await?;
    Ok(())
}

/// The protocol's name of a state.
fn announced(status: Status) -> AccountStatus {
    match status {
        Status::Active => AccountStatus::Active,
        Status::Suspended { .. } => AccountStatus::Suspended,
        Status::TakenDown => AccountStatus::Takendown,
        Status::Deleted => AccountStatus::Deleted,
        Status::Deactivated | Status::Creating => AccountStatus::Deactivated,
    }
}
