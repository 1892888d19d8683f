//! What the host decides about accounts, records and blobs: taking them down, and giving them back.
//!
//! A takedown hides; it deletes nothing, so that it can be undone. That nobody may read what is hidden is seen to where it is
//! read: each of the three has its mark in the database.

use pds_repo::{
    Cid,
    event::{self, AccountStatus, Frame},
};
use pds_store::{
    AccountId, Tx,
    account::{self, Account, Status},
    blob, event as events, record, repo, session,
};
use pds_syntax::{Did, RepoPath};

use crate::{app::App, clock};

/// Whether something is taken down.
#[derive(Clone, Debug)]
pub enum Takedown {
    /// Under this reference of a decision.
    Applied(String),
    /// Not, or not any more.
    Lifted,
}

/// Changes of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// By the host.
    pub takedown: Option<Takedown>,
    /// As its owner could do it.
    pub deactivated: Option<bool>,
}

impl Takedown {
    fn reference(&self) -> Option<&str> {
        match self {
            Self::Applied(reference) => Some(reference),
            Self::Lifted => None,
        }
    }
}

/// Changes an account's state and announces it, if it is another one then. Says whether there is such an account.
///
/// # Errors
/// When the database fails; nothing is changed then.
pub async fn change_account(app: &App, did: &Did, change: &AccountChange) -> pds_store::Result<bool> {
    let now = app.clock.now_us();
    let mut tx = app.db.begin().await?;
    let Some(before) = locked(&mut tx, did).await? else { return Ok(false) };
    if let Some(takedown) = &change.takedown {
        account::set_takedown(&mut tx, before.id, takedown.reference()).await?;
        if let Takedown::Applied(_) = takedown {
            session::revoke_all(&mut tx, before.id).await?;
        }
    }
    if let Some(deactivated) = change.deactivated
        && deactivated != before.deactivated_at.is_some()
    {
        account::set_deactivated(&mut tx, before.id, deactivated.then_some(now), None).await?;
    }
    let after = account::by_id(&mut tx, before.id).await?.unwrap_or_else(|| before.clone());
    if after.status() != before.status() {
        let frames = announcement(&mut tx, &before, &after, &clock::text(now)).await?;
        events::append(&mut tx, &frames, now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Hides a record of an account, or shows it again. It stays part of the repository. Says whether there is such a record.
///
/// # Errors
/// When the database fails.
pub async fn set_record(app: &App, did: &Did, path: &RepoPath, takedown: &Takedown) -> pds_store::Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(id) = id(&mut tx, did).await? else { return Ok(false) };
    let found = record::set_takedown(&mut tx, id, path, takedown.reference()).await?;
    tx.commit().await?;
    Ok(found)
}

/// Withdraws a blob of an account, or gives it back. Says whether there is such a blob.
///
/// # Errors
/// When the database fails.
pub async fn set_blob(app: &App, did: &Did, cid: &Cid, takedown: &Takedown) -> pds_store::Result<bool> {
    let mut tx = app.db.begin().await?;
    let Some(id) = id(&mut tx, did).await? else { return Ok(false) };
    let found = blob::set_takedown(&mut tx, id, cid, takedown.reference(), app.clock.now_us()).await?;
    tx.commit().await?;
    Ok(found)
}

async fn id(tx: &mut Tx, did: &Did) -> pds_store::Result<Option<AccountId>> {
    let found = account::by_did(tx, did).await?;
    Ok(found.filter(|account| account.status() != Status::Creating).map(|account| account.id))
}

/// The account under its lock, so that two changes at once are announced in the order in which they are made.
async fn locked(tx: &mut Tx, did: &Did) -> pds_store::Result<Option<Account>> {
    match id(tx, did).await? {
        Some(id) => account::lock(tx, id).await,
        None => Ok(None),
    }
}

/// Whoever heard nothing of an account while it was inactive is told where its identity and repository stand.
async fn announcement(tx: &mut Tx, before: &Account, after: &Account, time: &str) -> pds_store::Result<Vec<Frame>> {
    let did = &after.did;
    let status = match after.status() {
        Status::Active => AccountStatus::Active,
        Status::TakenDown => AccountStatus::Takendown,
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
