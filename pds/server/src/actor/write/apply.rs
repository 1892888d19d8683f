//! Storing changes as one commit, however many writers there are.

use std::{collections::HashSet, sync::Arc};

use pds_repo::{Cid, Head, record::UNKNOWN_SIZE};
use pds_store::{
    account::{self, Account, Status},
    blob,
    commit::undo_expired,
    repo, usage,
};
use tokio::time::timeout;

use super::{
    Change, Error,
    change::{may_remove_references, subjects},
    error::MAX_BLOBS,
};
use crate::{
    actor::{
        Actors, SubmitError,
        slot::{ATTEMPTS, PATIENCE, Slot, pause},
    },
    task::run_to_end,
};

/// The result of a write.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The new head; `None` if there was nothing to change.
    pub head: Option<Head>,
    /// Size of the event that announces it.
    pub event_bytes: usize,
    /// Number of references to blobs of the records that were replaced or deleted.
    pub removed_references: usize,
}

/// What became of one attempt.
enum Attempt {
    Done(Outcome),
    /// The repository in memory was not the one in the database.
    Again,
    /// Another replica was faster.
    AgainAfterPause,
}

impl Actors {
    /// Makes all changes in one commit, or none. The commit is durable when this returns.
    ///
    /// Cancellation: runs to its end even if the caller is cancelled, because a commit that was submitted may be stored.
    ///
    /// # Errors
    /// Why nothing was written. After [`Error::Submit`] of a failed database the outcome is unknown.
    pub async fn apply(
        &self,
        account: &Account,
        changes: Vec<Change>,
        swap_commit: Option<Cid>,
    ) -> Result<Outcome, Error> {
        // Before any work is done for it.
        if self.is_overloaded() {
            return Err(Error::Overloaded);
        }
        self.check_blobs(account, &changes).await?;
        let (this, account) = (self.clone(), account.clone());
        run_to_end(async move { this.apply_in_turn(&account, &changes, swap_commit).await }).await
    }

    /// Checks that records state media type and size of their blobs as they are stored. As in the reference, blobs that other records
    /// refer to already are not compared again.
    ///
    /// Whether a blob exists at all is decided by the commit, under the row's lock.
    async fn check_blobs(&self, account: &Account, changes: &[Change]) -> Result<(), Error> {
        let given = changes.iter().filter_map(Change::record).flat_map(|record| &record.record.blobs);
        let given: HashSet<_> = given.collect();
        if given.len() > MAX_BLOBS {
            return Err(Error::TooManyBlobs { count: given.len() });
        }
        for given in given {
            let Some(stored) = blob::get(&self.parts().db, account.id, &given.cid).await? else { continue };
            if stored.state != blob::State::Temporary {
                continue;
            }
            if stored.mime != given.mime_type {
                return Err(Error::BlobType { stored: stored.mime, given: given.mime_type.clone() });
            }
            if given.size != UNKNOWN_SIZE && u64::try_from(given.size) != Ok(stored.size) {
                return Err(Error::BlobSize { stored: stored.size, given: given.size });
            }
        }
        Ok(())
    }

    async fn apply_in_turn(
        &self,
        account: &Account,
        changes: &[Change],
        swap_commit: Option<Cid>,
    ) -> Result<Outcome, Error> {
        let slot = self.slot(account.id).await;
        for attempt in 1..=ATTEMPTS {
            match self.attempt(&slot, account, changes, swap_commit).await? {
                Attempt::Done(outcome) => return Ok(outcome),
                Attempt::Again => {}
                Attempt::AgainAfterPause => pause(attempt).await,
            }
        }
        Err(Error::Overloaded)
    }

    async fn attempt(
        &self,
        slot: &Arc<Slot>,
        account: &Account,
        changes: &[Change],
        swap_commit: Option<Cid>,
    ) -> Result<Attempt, Error> {
        let writer = timeout(PATIENCE, slot.writer.lock()).await.map_err(|_| Error::Overloaded)?;
        // The database is asked for the references of what is replaced, and does not have those of waiting commits. No commit joins the line
        // while `writer` is held.
        if may_remove_references(changes) {
            settled(slot).await?;
        }
        let end = slot.line().end();
        let (actor, line) = match end {
            Some(end) => end,
            None => {
                let actor = self.load(account.id, &account.did).await?;
                (actor.clone(), slot.line().begin(actor))
            }
        };
        // The database is asked for the records about a subject, and does not have those of waiting commits.
        if subjects(changes).any(|subject| slot.line().awaits_subject(subject)) {
            settled(slot).await?;
            return Ok(Attempt::Again);
        }
        self.weigh(account.id, slot, actor.repo.tree.memory_bytes()).await;
        let built = match self.build(account.id, &actor, changes, swap_commit).await {
            Ok(Some(built)) => built,
            // An answer without a commit. The tree in memory may be behind another replica, or built on a commit that will not be
            // stored. The database would refuse a commit on such a tree; an answer without one has to be checked here.
            answer => {
                settled(slot).await?;
                let head = repo::root(&self.parts().db, account.id).await?.map(|root| root.head);
                if head == Some(actor.repo.head) {
                    return answer
                        .map(|_| Attempt::Done(Outcome { head: None, event_bytes: 0, removed_references: 0 }));
                }
                slot.line().end_after_failure(line);
                return Ok(Attempt::Again);
            }
        };
        let references = built.references;
        let quota = account.quota(self.parts().quota);
        let (commit, next, diff) = built.into_commit(account.id, actor, self.now_us(), quota);
        let event_bytes = commit.frame.len(0);
        let submitted = self.parts().committer.submit(commit, references.count()).map_err(|error| match error {
            SubmitError::Overloaded => Error::Overloaded,
            error => Error::Submit(error),
        })?;
        slot.line().append(line, next.clone(), subjects(changes));
        // The next writer may build on this commit while it is being stored.
        drop(writer);
        let stored = submitted.stored().await;
        match &stored {
            Ok(_) => slot.line().confirm(line, next),
            Err(_) => slot.line().end_after_failure(line),
        }
        slot.notify_answered();
        match stored {
            Ok(_) => {
                self.parts().metrics.committed();
                let removed_references = references.removed;
                Ok(Attempt::Done(Outcome { head: Some(diff.head()), event_bytes, removed_references }))
            }
            Err(refusal) => self.refused(account, refusal).await,
        }
    }

    /// Whether to try again after the commit was refused.
    async fn refused(&self, account: &Account, refusal: SubmitError) -> Result<Attempt, Error> {
        let db = &self.parts().db;
        match refusal {
            SubmitError::Stale => Ok(Attempt::AgainAfterPause),
            SubmitError::Overloaded => Err(Error::Overloaded),
            SubmitError::Closed => {
                let status = account::by_id(db, account.id).await?.map_or(Status::Creating, |now| now.status());
                Err(Error::Closed { did: account.did.clone(), status })
            }
            // Unless the server that imported has died.
            SubmitError::Imported => match undo_expired(db, account.id, self.now_us()).await? {
                true => Ok(Attempt::Again),
                false => Err(Error::Imported),
            },
            SubmitError::Uncounted => {
                usage::counted(db, account.id).await?;
                Ok(Attempt::Again)
            }
            SubmitError::OverQuota { used, quota } => Err(Error::OverQuota { used, quota }),
            SubmitError::Blob { cid, reason } => Err(Error::Blob { cid, reason }),
            error => Err(Error::Submit(error)),
        }
    }
}

/// Waits until the commits before this write are answered.
async fn settled(slot: &Slot) -> Result<(), Error> {
    timeout(PATIENCE, slot.settled()).await.map_err(|_| Error::Overloaded)
}
