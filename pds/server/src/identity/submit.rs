//! Operations that clients submit: checked, added to the log in the directory, and announced.
//!
//! A submission is noted in the database before the directory is asked, and the note ends in the transaction of the event. What a process that is killed
//! in between leaves, a job announces: followers then read the document, whether the directory took the operation or not.

use std::time::Duration;

use pds_identity::{
    Error as ResolveError,
    plc::{Operation, SignedOperation},
};
use pds_repo::event;
use pds_store::{
    AccountId,
    account::{self, Account},
    event as events,
};
use pds_syntax::Did;
use serde_json::Value;

use super::{
    Identities,
    identities::{Error, KEY, PDS, PDS_KIND},
};
use crate::{clock, report::chain, task::run_to_end};

/// Pauses between attempts to announce an operation that the directory has taken.
const PAUSES_S: [u64; 6] = [0, 1, 5, 20, 60, 300];
/// How long a submission may take before the job looks after it: longer than the attempts of its own process; microseconds.
const PATIENCE_US: i64 = 15 * 60 * 1_000_000;
/// Submissions that one run of the job looks after.
const PAGE: u32 = 100;
/// How long a client waits for a database that does not take the event.
const ANNOUNCED: Duration = Duration::from_secs(2);

impl Identities {
    /// Adds an operation to the log of an account's DID, if the document then still names this host as the account's, and announces it.
    ///
    /// Cancellation: runs to its end once the directory is asked.
    ///
    /// # Errors
    /// Why not; nothing is changed then.
    pub async fn submit(&self, account: &Account, operation: &Value) -> Result<(), Error> {
        let operation = SignedOperation::read(operation)?;
        if account.did.method() != "plc" {
            return Err(Error::NotPlc(account.did.clone()));
        }
        self.check_operation(account, &operation.operation).await?;
        let (this, account) = (self.clone(), account.clone());
        run_to_end(async move {
            let submission = this.begin(account.id).await?;
            match this.publish(&account.did, &operation).await {
                Ok(()) => {
                    this.announce(submission, &account).await;
                    Ok(())
                }
                // Whether the directory took the operation is not known: the job announces the document.
                Err(error @ Error::Unresolved { source: ResolveError::Unreachable { .. }, .. }) => Err(error),
                Err(error) => {
                    this.end(submission, &account.did).await;
                    Err(error)
                }
            }
        })
        .await
    }

    async fn check_operation(&self, account: &Account, operation: &Operation) -> Result<(), Error> {
        let parts = self.parts();
        let service = operation.services.get(PDS);
        let refuse = |reason| Err(Error::Incorrect(reason));
        if !operation.rotation_keys.contains(&parts.rotation.did_key()) {
            return refuse("Rotation keys do not include server's rotation key");
        }
        if service.is_none_or(|service| service.kind != PDS_KIND) {
            return refuse("Incorrect type on atproto_pds service");
        }
        if service.is_none_or(|service| service.endpoint != parts.endpoint) {
            return refuse("Incorrect endpoint on atproto_pds service");
        }
        if operation.verification_methods.get(KEY) != Some(&self.signing_key(account).await?) {
            return refuse("Incorrect signing key");
        }
        if operation.also_known_as.first() != Some(&format!("at://{}", account.handle)) {
            return refuse("Incorrect handle in alsoKnownAs");
        }
        Ok(())
    }

    async fn begin(&self, id: AccountId) -> pds_store::Result<i64> {
        let parts = self.parts();
        let mut tx = parts.db.begin().await?;
        let submission = account::begin_submission(&mut tx, id, parts.clock.now_us()).await?;
        tx.commit().await?;
        Ok(submission)
    }

    /// Nothing is to be announced.
    async fn end(&self, submission: i64, did: &Did) {
        let ended = async {
            let mut tx = self.parts().db.begin().await?;
            account::end_submission(&mut tx, submission).await?;
            tx.commit().await
        };
        // The job announces the document once more, which changes nothing.
        if let Err(error) = ended.await {
            tracing::warn!(account.did = %did, error = chain(&error), "the end of a submission of {did} could not be noted yet");
        }
    }

    /// Announces a new document, and reads it. What the directory has taken is announced even if the database fails for some minutes.
    async fn announce(&self, submission: i64, account: &Account) {
        let (this, id, did) = (self.clone(), account.id, account.did.clone());
        let announced = async move {
            for pause in PAUSES_S {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                match this.append(submission, id).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(account.did = %did, error = chain(&error), "the new document of {did} is not announced yet")
                    }
                }
            }
            // If this fails, the former document is used until its time in the cache is over.
            let _ = this.parts().resolver.refresh_did(&did).await;
        };
        let task = tokio::spawn(announced);
        // The caller does not wait for a database that is away.
        let _ = tokio::time::timeout(ANNOUNCED, task).await;
    }

    /// The event and the end of the submission, together. Nothing if somebody else has written them.
    async fn append(&self, submission: i64, id: AccountId) -> pds_store::Result<()> {
        let parts = self.parts();
        let now = parts.clock.now_us();
        let mut tx = parts.db.begin().await?;
        if account::end_submission(&mut tx, submission).await?
            && let Some(account) = account::by_id(&mut tx, id).await?
        {
            let identity = event::identity(&account.did, Some(&account.handle), &clock::text(now));
            events::append(&mut tx, &[identity], now).await?;
        }
        tx.commit().await
    }

    /// Announces the documents of the submissions that were interrupted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announce_interrupted(&self, now: i64) -> pds_store::Result<()> {
        let db = &self.parts().db;
        for submission in account::unfinished_submissions(db, now - PATIENCE_US, PAGE).await? {
            self.append(submission.id, submission.account_id).await?;
            if let Some(account) = account::by_id(db, submission.account_id).await? {
                // If this fails, the former document is used until its time in the cache is over.
                let _ = self.parts().resolver.refresh_did(&account.did).await;
                tracing::info!(account.did = %account.did, "announced the document of {} after an interrupted submission", account.did);
            }
        }
        Ok(())
    }
}
