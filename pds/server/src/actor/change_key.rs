//! Signing a repository with another key.

use std::sync::Arc;

use pds_crypto::SigningKey;
use pds_repo::{Head, commit, event};
use pds_store::{
    account::{self, Account, Status},
    event as events, repo, reserved_key,
};
use tokio::time::timeout;

use super::{
    Actors, key,
    slot::{ATTEMPTS, PATIENCE, Slot, pause},
};
use crate::clock;

/// A failed change of the signing key of a repository. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeKeyError {
    /// There is no such repository.
    #[error("there is no repository of the account")]
    Missing,
    /// The repository is written to without a pause, or is being imported.
    #[error("the repository is being written to, try again")]
    Busy,
    /// The key could not be sealed.
    #[error("seal the signing key")]
    Seal(#[from] pds_crypto::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl Actors {
    /// Makes a reserved key the one that signs the repository of `account`: a new head over the same records is signed with it, and both are
    /// announced. Replicas that have the former key in memory find another head than theirs, and load the repository again.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub async fn change_key(&self, account: &Account, new: &SigningKey) -> Result<(), ChangeKeyError> {
        let slot = self.slot(account.id).await;
        for attempt in 1..=ATTEMPTS {
            if self.try_change_key(&slot, account, new).await? {
                return Ok(());
            }
            pause(attempt).await;
        }
        Err(ChangeKeyError::Busy)
    }

    async fn try_change_key(
        &self,
        slot: &Arc<Slot>,
        account: &Account,
        new: &SigningKey,
    ) -> Result<bool, ChangeKeyError> {
        let _writer = timeout(PATIENCE, slot.writer.lock()).await.map_err(|_| ChangeKeyError::Busy)?;
        timeout(PATIENCE, slot.settled()).await.map_err(|_| ChangeKeyError::Busy)?;
        let (did, id, parts) = (&account.did, account.id, self.parts());
        let head = repo::root(&parts.db, id).await?.ok_or(ChangeKeyError::Missing)?.head;
        let now = self.now_us();
        let rev = self.next_rev(now, head.rev);
        let signed = commit::sign(did, rev, &head.data, new);
        let sealed = key::seal(&parts.seal, did, new)?;
        let (next, time) = (Head { rev, commit: signed.cid, data: head.data }, clock::text(now));

        let mut tx = parts.db.begin().await?;
        let current = account::lock(&mut tx, id).await?.ok_or(ChangeKeyError::Missing)?;
        if !repo::resign(&mut tx, id, head.rev, &next, &signed.bytes).await? {
            return Ok(false);
        }
        account::set_signing_key(&mut tx, id, &sealed).await?;
        reserved_key::forget(&mut tx, &new.did_key()).await?;
        let mut frames = vec![event::identity(did, Some(&current.handle), &time)];
        // The head of an account that is not active is announced when it becomes active.
        if current.status() == Status::Active {
            frames.push(event::sync(did, rev, &signed.cid, &signed.bytes, &time));
        }
        events::append(&mut tx, &frames, now).await?;
        tx.commit().await?;
        // The next writer loads the repository with its new key.
        slot.line().forget();
        Ok(true)
    }
}
