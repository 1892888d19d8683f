//! Changing the signing key of an account: in its document, in the database, and in the head of its repository.
//!
//! The new key is noted as one that the account changes to, then the document names it, then one transaction makes it the account's key and
//! signs the head with it. A change that is interrupted after the document names the key is finished by a job; one that is interrupted before
//! that is undone.

use pds_store::{
    AccountId,
    account::{self, Account},
    reserved_key::{self, ReservedKey},
};
use pds_syntax::Did;

use super::{
    Identities,
    identities::{Error as IdentityError, unresolved},
};
use crate::{
    actor::{ChangeKeyError, key},
    report::chain,
    task::run_to_end,
};

/// How long a change may take before the job looks after it; microseconds.
const PATIENCE_US: i64 = 5 * 60 * 1_000_000;
/// Changes that one run of the job looks after.
const PAGE: u32 = 100;

/// Why a signing key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody reserved the key here, or it has expired.
    #[error("Signing key is not reserved on this server: {0}")]
    NotReserved(String),
    /// Another change of this account's key, or to this key, is under way.
    #[error("Another change of the signing key is under way")]
    UnderWay,
    /// The document was not changed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The head could not be signed; a job tries again.
    #[error(transparent)]
    Head(#[from] ChangeKeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// What a document says about a change.
enum Named {
    New,
    Other,
}

impl Identities {
    /// Changes the signing key of an account to a reserved one. Announces the new document and the new head.
    ///
    /// Cancellation: runs to its end.
    ///
    /// # Errors
    /// Why the key was not changed.
    pub async fn change_key(&self, account: &Account, public_key: &str) -> Result<(), Error> {
        let (this, account, public_key) = (self.clone(), account.clone(), public_key.to_owned());
        run_to_end(async move { this.begin_and_finish(&account, &public_key).await }).await
    }

    async fn begin_and_finish(&self, account: &Account, public_key: &str) -> Result<(), Error> {
        let (db, now) = (&self.parts().db, self.parts().clock.now_us());
        let not_reserved = || Error::NotReserved(public_key.to_owned());
        let reserved = reserved_key::by_key(db, public_key, now).await?.ok_or_else(not_reserved)?;
        let mut tx = db.begin().await?;
        if !reserved_key::begin_change(&mut tx, account.id, public_key, now).await? {
            return Err(Error::UnderWay);
        }
        tx.commit().await?;
        match self.name_in_document(&account.did, public_key).await {
            Ok(Named::New) => self.finish(account, &reserved).await,
            Ok(Named::Other) => {
                self.cancel(account.id).await?;
                Err(IdentityError::Unfit("DID document verification method does not match expected signing key").into())
            }
            // Whether the directory took the operation is not known: the job looks.
            Err(error @ IdentityError::Unresolved { source: pds_identity::Error::Unreachable { .. }, .. }) => {
                Err(error.into())
            }
            Err(error) => {
                self.cancel(account.id).await?;
                Err(error.into())
            }
        }
    }

    /// Makes the document of a did:plc name the key. The document of a did:web names it if this host serves the document, or if its owner has
    /// changed it before.
    async fn name_in_document(&self, did: &Did, public_key: &str) -> Result<Named, IdentityError> {
        if did.method() != "plc" {
            return self.named(did, public_key).await;
        }
        let last = self.parts().plc.last(did).await.map_err(|source| unresolved(did, source))?;
        let next = last.with_signing_key(public_key);
        if next.verification_methods != last.operation.verification_methods {
            let next = self.signed(did, next).await?;
            self.publish(did, &next).await?;
        }
        Ok(Named::New)
    }

    async fn named(&self, did: &Did, public_key: &str) -> Result<Named, IdentityError> {
        let document = self.parts().resolver.refresh_did(did).await.map_err(|source| unresolved(did, source))?;
        let key = document.key("atproto").map(|key| key.did_key());
        Ok(if key.as_deref() == Some(public_key) { Named::New } else { Named::Other })
    }

    async fn finish(&self, account: &Account, reserved: &ReservedKey) -> Result<(), Error> {
        let parts = self.parts();
        let failed = |source| IdentityError::Key { did: account.did.clone(), source };
        let new = key::open_reserved(&parts.seal, &reserved.public_key, &reserved.sealed).map_err(failed)?;
        parts.actors.change_key(account, &new).await?;
        tracing::info!(account.did = %account.did, "changed the signing key of {}", account.did);
        // If this fails, the former document is used until its time in the cache is over.
        let _ = parts.resolver.refresh_did(&account.did).await;
        Ok(())
    }

    async fn cancel(&self, id: AccountId) -> pds_store::Result<()> {
        let mut tx = self.parts().db.begin().await?;
        reserved_key::cancel_change(&mut tx, id).await?;
        tx.commit().await
    }

    /// Finishes or undoes the changes that were interrupted, by what the documents say.
    ///
    /// # Errors
    /// When the database fails. A document that cannot be read is looked at in the next run.
    pub async fn finish_interrupted(&self, now: i64) -> Result<(), Error> {
        let db = &self.parts().db;
        for (id, did) in reserved_key::unfinished_changes(db, now - PATIENCE_US, PAGE).await? {
            let (Some(account), Some(reserved)) =
                (account::by_id(db, id).await?, reserved_key::for_account(db, id).await?)
            else {
                continue;
            };
            let done = match self.named(&did, &reserved.public_key).await {
                Ok(Named::New) => self.finish(&account, &reserved).await,
                Ok(Named::Other) => self.cancel(id).await.map_err(Error::from),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = done {
                tracing::warn!(account.did = %did, error = chain(&error), "the change of the signing key of {did} is not finished yet");
            }
        }
        Ok(())
    }
}
