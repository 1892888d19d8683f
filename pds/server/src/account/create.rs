//! Signing up. Names and invite are reserved first, then the DID is published, then everything exists at once.

use pds_crypto::SigningKey;
use pds_identity::plc::{self, SignedOperation};
use pds_repo::{
    CommitDiff, Repo,
    event::{self, AccountStatus},
};
use pds_store::{
    AccountId,
    account::{self, Account, NewAccount},
    event as events, invite, repo,
};
use pds_syntax::{Did, Handle};

use crate::{actor::seal_purpose, app::App, clock};

/// A checked sign-up.
#[derive(Debug)]
pub struct SignUp {
    /// Checked for this host.
    pub handle: Handle,
    /// Checked for its form.
    pub email: Option<String>,
    /// Hashed.
    pub password_hash: Option<String>,
    /// Consumed with the account.
    pub invite_code: Option<String>,
    /// A did:key that outranks the host's rotation key.
    pub recovery_key: Option<Did>,
    /// An identity that the person brings, proven; the account then starts deactivated.
    pub own_did: Option<Did>,
}

/// Why there is no account. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Handle, e-mail, DID or invite, or the database itself.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The directory did not take the new DID.
    #[error("publish the identity of {did}")]
    Publish {
        /// The DID that was to be.
        did: Did,
        /// Why.
        #[source]
        source: pds_identity::Error,
    },
    /// The first commit could not be made.
    #[error("make the first commit")]
    Repo(#[from] pds_repo::Error),
    /// The signing key could not be sealed.
    #[error("seal the signing key")]
    Seal(#[from] pds_crypto::Error),
}

/// Makes the account, its repository and its events; answers the account as stored.
pub async fn create(app: &App, sign_up: SignUp) -> Result<Account, Error> {
    let key = SigningKey::generate();
    let (did, genesis) = match &sign_up.own_did {
        Some(did) => (did.clone(), None),
        None => {
            let endpoint = app.settings.service.public_url();
            let recovery = sign_up.recovery_key.as_ref().or(app.settings.identity.recovery_key.as_ref());
            let (did, genesis) = plc::genesis(&key.did_key(), &app.keys.rotation, recovery, &sign_up.handle, &endpoint);
            (did, Some(genesis))
        }
    };
    let id = reserve(app, &did, &sign_up, &key).await?;
    // From here on a dropped request must not leave the work half done.
    let (app, own) = (app.clone(), sign_up.own_did.is_some());
    let task = tokio::spawn(async move {
        let made = finish(&app, id, &did, &sign_up.handle, genesis, &key, own).await;
        if made.is_err() {
            give_back(&app, id).await;
        }
        made
    });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn reserve(app: &App, did: &Did, sign_up: &SignUp, key: &SigningKey) -> Result<AccountId, Error> {
    let now = app.clock.now_us();
    let new = NewAccount {
        did: did.clone(),
        handle: sign_up.handle.clone(),
        email: sign_up.email.clone(),
        password_hash: sign_up.password_hash.clone(),
        signing_key: app.keys.seal.seal(&*key.to_bytes(), &seal_purpose(did))?,
        created_at: now,
    };
    let mut tx = app.db.begin().await?;
    let id = account::reserve(&mut tx, &new).await?;
    if let Some(code) = &sign_up.invite_code {
        invite::consume(&mut tx, code, id, now).await?;
    }
    tx.commit().await?;
    Ok(id)
}

async fn finish(
    app: &App,
    id: AccountId,
    did: &Did,
    handle: &Handle,
    genesis: Option<SignedOperation>,
    key: &SigningKey,
    own: bool,
) -> Result<Account, Error> {
    if let Some(genesis) = genesis {
        app.plc.submit(did, &genesis).await.map_err(|source| Error::Publish { did: did.clone(), source })?;
    }
    let now = app.clock.now_us();
    let rev = app.tids.next(now.unsigned_abs());
    let (_, diff) = Repo::create(did.clone(), rev, &[], key)?;
    let mut tx = app.db.begin().await?;
    account::activate(&mut tx, id, now).await?;
    if own {
        account::set_deactivated(&mut tx, id, Some(now), None).await?;
    }
    repo::create(&mut tx, id, &diff.head(), &diff.commit_bytes).await?;
    // An identity from elsewhere is announced when its owner activates it here.
    if !own {
        events::append(&mut tx, &announcement(did, handle, &diff, now), now).await?;
    }
    tx.commit().await?;
    let account = account::by_id(&app.db, id).await?;
    account.ok_or(Error::Store(pds_store::Error::NotReserved { id }))
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

async fn give_back(app: &App, id: AccountId) {
    let undone = async {
        let mut tx = app.db.begin().await?;
        account::give_back(&mut tx, id).await?;
        tx.commit().await
    };
    // The job that collects stale reservations does it later.
    if let Err(error) = undone.await {
        tracing::warn!(account.id = %id, error = crate::report::chain(&error), "reservation {id} could not be given back yet");
    }
}
