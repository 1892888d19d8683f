//! Changing a handle, in the directory and here.
//!
//! The database decides. The handle is published in the directory first, so that the event never announces one that nobody can look up;
//! then it is written. No transaction is open during the request to the directory. Whatever fails between the two, the directory is
//! brought back to what the database has: in the end both have the handle, or neither. A change is noted in the database before the directory
//! is asked, so that a job brings the directory back if the process is killed.

use std::time::Duration;

use pds_identity::Error as ResolveError;
use pds_repo::event;
use pds_store::{
    AccountId,
    account::{self, Account},
    event as events,
};
use pds_syntax::{Did, Handle};

use super::{Handles, Parts};
use crate::{clock, report::chain, task::run_to_end};

/// Pauses between attempts to make the directory agree: ten minutes in all.
const PAUSES_S: [u64; 9] = [1, 2, 5, 10, 20, 40, 80, 160, 300];

/// How long a change may take before the job looks after it: longer than the attempts of its own process; microseconds.
const PATIENCE_US: i64 = 15 * 60 * 1_000_000;
/// Changes that one run of the job looks after.
const PAGE: u32 = 100;

/// Why a handle was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another account has it, or the database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The directory failed.
    #[error("change the handle of {did} in the directory")]
    Directory {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: ResolveError,
    },
    /// The directory does not accept this host's key for the DID, or another change came first.
    #[error("The PLC directory refused the change, nothing was changed")]
    Refused {
        /// The directory's answer.
        #[source]
        source: ResolveError,
    },
    /// The document of a DID that this host cannot change names another handle.
    #[error("DID is not properly configured for handle")]
    NotInDocument,
}

impl Handles {
    /// Gives `account` a handle that was checked before ([`Handles::check`]).
    ///
    /// Cancellation: runs to its end.
    ///
    /// # Errors
    /// When the handle was not changed; the directory then has the former handle, or gets it back soon.
    pub async fn update(&self, account: &Account, handle: &Handle) -> Result<(), Error> {
        if let Some(holder) = account::by_handle(&self.parts().db, handle).await?
            && holder.id != account.id
        {
            return Err(pds_store::Error::HandleTaken { handle: handle.clone() }.into());
        }
        let (this, id, did, handle) = (self.clone(), account.id, account.did.clone(), handle.clone());
        run_to_end(async move {
            let parts = this.parts();
            let change = parts.begin(id).await?;
            let updated = parts.publish_then_write(id, &did, &handle).await;
            // Also after success: another change of this account may have come between the two steps.
            if matches!(updated, Err(Error::NotInDocument | Error::Refused { .. })) || parts.agree_once(id, &did).await
            {
                parts.end(change, &did).await;
            } else {
                tokio::spawn(agree(this, change, id, did));
            }
            updated
        })
        .await
    }

    /// Makes the directory agree with the database about the accounts whose change of handle was interrupted.
    ///
    /// # Errors
    /// When the database fails. A directory that is away is asked in the next run.
    pub async fn finish_interrupted(&self, now: i64) -> pds_store::Result<()> {
        let parts = self.parts();
        for change in account::unfinished_handle_changes(&parts.db, now - PATIENCE_US, PAGE).await? {
            if parts.agree_once(change.account_id, &change.did).await {
                parts.end(change.id, &change.did).await;
            }
        }
        Ok(())
    }
}

impl Parts {
    async fn begin(&self, id: AccountId) -> pds_store::Result<i64> {
        let mut tx = self.db.begin().await?;
        let change = account::begin_handle_change(&mut tx, id, self.clock.now_us()).await?;
        tx.commit().await?;
        Ok(change)
    }

    async fn end(&self, change: i64, did: &Did) {
        let ended = async {
            let mut tx = self.db.begin().await?;
            account::end_handle_change(&mut tx, change).await?;
            tx.commit().await
        };
        // The job finds that they agree, and tries again.
        if let Err(error) = ended.await {
            tracing::warn!(account.did = %did, error = chain(&error), "the end of the change of the handle of {did} could not be noted yet");
        }
    }

    async fn publish_then_write(&self, id: AccountId, did: &Did, handle: &Handle) -> Result<(), Error> {
        let failed = |source| Error::Directory { did: did.clone(), source };
        if did.method() == "plc" {
            self.publish(did, handle).await.map_err(|source| match source {
                ResolveError::Refused { .. } => Error::Refused { source },
                source => failed(source),
            })?;
        } else if self.resolver.refresh_did(did).await.map_err(failed)?.handle().as_ref() != Some(handle) {
            return Err(Error::NotInDocument);
        }
        let now = self.clock.now_us();
        let mut tx = self.db.begin().await?;
        account::set_handle(&mut tx, id, handle).await?;
        events::append(&mut tx, &[event::identity(did, Some(handle), &clock::text(now))], now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Adds an operation with the handle, unless the newest has it already.
    async fn publish(&self, did: &Did, handle: &Handle) -> Result<(), ResolveError> {
        let last = self.plc.last(did).await?;
        let named = last.operation.also_known_as.iter().find_map(|name| name.strip_prefix("at://"));
        if named == Some(handle.as_str()) {
            return Ok(());
        }
        let next = self.rotation.sign(last.with_handle(handle)).await?;
        self.plc.submit(did, &next).await
    }

    /// Makes the directory name the handle that the database has. Returns whether it does now.
    async fn agree_once(&self, id: AccountId, did: &Did) -> bool {
        let agreed = async {
            if did.method() == "plc"
                && let Some(account) = account::by_id(&self.db, id).await?
            {
                let failed = |source| Error::Directory { did: did.clone(), source };
                self.publish(did, &account.handle).await.map_err(failed)?;
            }
            Ok::<_, Error>(())
        };
        let agreed = agreed.await;
        if let Err(error) = &agreed {
            tracing::warn!(account.did = %did, error = chain(error), "the directory may not have the handle of {did} yet");
        }
        // The cached document may name another handle. If this fails, it does until its time in the cache is over.
        let _ = self.resolver.refresh_did(did).await;
        agreed.is_ok()
    }
}

/// Tries for ten minutes to make the directory agree with the database. After that, the job does.
async fn agree(handles: Handles, change: i64, id: AccountId, did: Did) {
    let parts = handles.parts();
    for pause in PAUSES_S {
        tokio::select! {
            () = parts.shutdown.cancelled() => break,
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
        }
        if parts.agree_once(id, &did).await {
            return parts.end(change, &did).await;
        }
    }
    tracing::error!(account.did = %did, "the directory may name another handle than the database for {did}");
}
