//! Signing up. Names and invite are reserved first, then the DID is published, then one transaction makes everything exist.

use std::sync::Arc;

use pds_crypto::{SigningKey, seal::SealKey};
use pds_identity::plc::{self, SignedOperation};
use pds_repo::{
    CommitDiff, Repo,
    event::{self, AccountStatus},
};
use pds_store::{
    AccountId, Db, Tx,
    account::{self, Account, NewAccount},
    email_token::Purpose,
    event as events, invite, repo, reserved_key,
};
use pds_syntax::{Did, Handle, tid};

use super::email::Emails;
use crate::{
    actor::key,
    clock::{self, Clock},
    mail::{self, Languages},
    report::chain,
    task::run_to_end,
};

/// A checked sign-up.
#[derive(Debug)]
pub struct SignUp {
    /// One that the account may have on this host.
    pub handle: Handle,
    /// E-mail address of valid form.
    pub email: Option<String>,
    /// In PHC format.
    pub password_hash: Option<String>,
    /// Used up with the account.
    pub invite_code: Option<String>,
    /// A did:key that outranks the host's keys.
    pub recovery_key: Option<Did>,
    /// An identity that the person brings and has proven to own; the account then starts deactivated.
    pub own_did: Option<Did>,
    /// The languages that the person's app asks for.
    pub languages: Languages,
}

/// Why there is no account. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Handle, e-mail address, DID or invite code cannot be used, or the database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The operation that makes the DID could not be signed.
    #[error("sign the operation that makes the identity")]
    Unsigned(#[source] pds_identity::Error),
    /// The directory did not accept the new DID.
    #[error("publish the identity of {did}")]
    Publish {
        /// The DID that was refused.
        did: Did,
        /// The cause.
        #[source]
        source: pds_identity::Error,
    },
    /// The first commit could not be made.
    #[error("make the first commit")]
    Repo(#[from] pds_repo::Error),
    /// The mail that confirms the address could not be queued.
    #[error("queue the mail that confirms the address")]
    Email(#[from] super::email::Error),
    /// The signing key could not be sealed.
    #[error("seal the signing key")]
    Seal(#[from] pds_crypto::Error),
}

/// Makes accounts. Cheap to clone.
#[derive(Clone)]
pub struct SignUps(Arc<Parts>);

/// What accounts are made with.
pub struct Parts {
    /// Accounts, repositories and events.
    pub db: Db,
    /// Where did:plc identities are published.
    pub plc: Arc<dyn plc::Directory>,
    /// Signs PLC operations.
    pub rotation: Arc<dyn plc::RotationKey>,
    /// Seals the signing keys of repositories.
    pub seal: Arc<SealKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes revisions.
    pub tids: Arc<tid::Clock>,
    /// Mails the code that confirms the address.
    pub emails: Emails,
    /// The URL of this host, for DID documents.
    pub endpoint: String,
    /// The host owner's did:key for PLC operations. One that the person brings outranks it.
    pub recovery_key: Option<Did>,
}

impl SignUps {
    /// Sign-ups on this host.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes the account, its repository and its events. Returns the account as stored.
    ///
    /// Cancellation: once the names are reserved it runs to its end.
    ///
    /// # Errors
    /// Why there is no account.
    pub async fn create(&self, sign_up: SignUp) -> Result<Account, Error> {
        let parts = &self.0;
        let key = parts.signing_key(sign_up.own_did.as_ref()).await?;
        let (did, genesis) = match &sign_up.own_did {
            Some(did) => (did.clone(), None),
            None => {
                let recovery = sign_up.recovery_key.iter().chain(&parts.recovery_key);
                let (signing, handle, endpoint) = (key.did_key(), &sign_up.handle, &parts.endpoint);
                let genesis = plc::genesis(&signing, &parts.rotation.did_key(), recovery, handle, endpoint);
                let genesis = parts.rotation.sign(genesis).await.map_err(Error::Unsigned)?;
                (genesis.did(), Some(genesis))
            }
        };
        let id = parts.reserve(&did, &sign_up, &key).await?;
        // From here on a dropped request must not leave the work half done.
        let parts = parts.clone();
        run_to_end(async move {
            let is_own = sign_up.own_did.is_some();
            let new = Reserved { id, did: &did, handle: &sign_up.handle, is_own, languages: &sign_up.languages };
            let made = parts.finish(new, genesis, &key).await;
            if made.is_err() {
                parts.give_back(id).await;
            }
            made
        })
        .await
    }
}

/// An account whose names are reserved.
struct Reserved<'a> {
    id: AccountId,
    did: &'a Did,
    handle: &'a Handle,
    /// Whether the person brought the DID.
    is_own: bool,
    languages: &'a Languages,
}

impl Parts {
    /// The key that is reserved for an identity from elsewhere, or a new one.
    async fn signing_key(&self, own_did: Option<&Did>) -> Result<SigningKey, Error> {
        let reserved = match own_did {
            Some(did) => reserved_key::for_did(&self.db, did, self.clock.now_us()).await?,
            None => None,
        };
        Ok(match reserved {
            Some(reserved) => key::open_reserved(&self.seal, &reserved.public_key, &reserved.sealed)?,
            None => SigningKey::generate(),
        })
    }

    async fn reserve(&self, did: &Did, sign_up: &SignUp, key: &SigningKey) -> Result<AccountId, Error> {
        let now = self.clock.now_us();
        let new = NewAccount {
            did: did.clone(),
            handle: sign_up.handle.clone(),
            email: sign_up.email.clone(),
            password_hash: sign_up.password_hash.clone(),
            signing_key: key::seal(&self.seal, did, key)?,
            created_at: now,
        };
        let mut tx = self.db.begin().await?;
        let id = account::reserve(&mut tx, &new).await?;
        if let Some(key) = &sign_up.recovery_key {
            account::set_recovery_key(&mut tx, id, key).await?;
        }
        if let Some(code) = &sign_up.invite_code {
            invite::consume(&mut tx, code, id, now).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Publishes the DID, then makes the account and its repository.
    async fn finish(
        &self,
        new: Reserved<'_>,
        genesis: Option<SignedOperation>,
        key: &SigningKey,
    ) -> Result<Account, Error> {
        let Reserved { id, did, handle, is_own, languages } = new;
        if let Some(genesis) = genesis {
            let published = self.plc.submit(did, &genesis).await;
            published.map_err(|source| Error::Publish { did: did.clone(), source })?;
        }
        let now = self.clock.now_us();
        let rev = self.tids.next(now.unsigned_abs());
        let (_, diff) = Repo::create(did.clone(), rev, &[], key)?;
        let mut tx = self.db.begin().await?;
        account::activate(&mut tx, id, now).await?;
        if is_own {
            account::set_deactivated(&mut tx, id, Some(now), None).await?;
            reserved_key::forget(&mut tx, &key.did_key()).await?;
        }
        repo::create(&mut tx, id, &diff.head(), &diff.commit_bytes).await?;
        // An identity from elsewhere is announced when its owner activates it here.
        if !is_own {
            events::append(&mut tx, &announcement(did, handle, &diff, now), now).await?;
        }
        let account = account::by_id(&mut tx, id).await?;
        let account = account.ok_or(Error::Store(pds_store::Error::NotReserved { id }))?;
        self.welcome(&mut tx, &account, languages).await?;
        tx.commit().await?;
        self.emails.mailer().wake();
        Ok(account)
    }

    /// Queues the mail that confirms the address. An account does not fail for want of it: its owner can ask for another one.
    async fn welcome(&self, tx: &mut Tx, account: &Account, languages: &Languages) -> Result<(), Error> {
        use super::email::Error as EmailError;
        match self.emails.queue(tx, account, Purpose::ConfirmEmail, languages).await {
            Ok(()) | Err(EmailError::NoAddress | EmailError::Mail(mail::Error::NotConfigured)) => Ok(()),
            Err(EmailError::Mail(mail::Error::Full)) => {
                tracing::warn!(account.did = %account.did, "too many mails wait: {} got no mail that confirms its address", account.did);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn give_back(&self, id: AccountId) {
        let undone = async {
            let mut tx = self.db.begin().await?;
            account::give_back(&mut tx, id).await?;
            tx.commit().await
        };
        // The job that collects stale reservations does it later.
        if let Err(error) = undone.await {
            tracing::warn!(account.id = %id, error = chain(&error), "reservation {id} could not be given back yet");
        }
    }
}

/// The events of a new account, in the reference's order.
fn announcement(did: &Did, handle: &Handle, diff: &CommitDiff, now: i64) -> [event::Frame; 4] {
    let time = clock::text(now);
    [
        event::identity(did, Some(handle), &time),
        event::account(did, AccountStatus::Active, &time),
        event::commit(did, diff, &time),
        event::sync(did, diff.rev, &diff.commit, &diff.commit_bytes, &time),
    ]
}
