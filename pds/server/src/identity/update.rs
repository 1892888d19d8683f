//! Changing a handle, in the directory and here.
//!
//! The database decides. The directory is told first, so that the event never announces what nobody can look up; then the
//! change is written. No transaction is open while the directory is asked. Whatever goes wrong between the two, the
//! directory is brought back to what the database says: at the end both have the handle, or neither.

use std::time::Duration;

use pds_identity::Error as ResolveError;
use pds_repo::event;
use pds_store::{
    AccountId,
    account::{self, Account},
    event as events,
};
use pds_syntax::{Did, Handle};

use crate::{app::App, clock, report::chain};

/// Pauses between attempts to make the directory agree: ten minutes in all.
const PAUSES_S: [u64; 9] = [1, 2, 5, 10, 20, 40, 80, 160, 300];

/// Why a handle was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has it, or the database is away.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The directory did not take the change.
    #[error("change the handle of {did} in the directory")]
    Directory {
        /// Whose.
        did: Did,
        /// Why.
        #[source]
        source: ResolveError,
    },
    /// The directory does not take this host's word for the DID, or somebody else was faster.
    #[error("The PLC directory refused the change, nothing was changed")]
    Refused {
        /// The directory's words.
        #[source]
        source: ResolveError,
    },
    /// The document of a DID that we cannot write names another handle.
    #[error("DID is not properly configured for handle")]
    NotInDocument,
}

/// Gives `account` the handle, which has been checked. Goes on when the caller gives up.
///
/// # Errors
/// When the change did not happen; the directory then has the former handle, or gets it back soon.
pub async fn update(app: &App, account: &Account, handle: &Handle) -> Result<(), Error> {
    if let Some(holder) = account::by_handle(&app.db, handle).await?
        && holder.id != account.id
    {
        return Err(pds_store::Error::HandleTaken { handle: handle.clone() }.into());
    }
    let (app, id, did, handle) = (app.clone(), account.id, account.did.clone(), handle.clone());
    let task = tokio::spawn(async move {
        let done = publish_then_write(&app, id, &did, &handle).await;
        // Also after success: another change of this account may have come between the two steps.
        if !matches!(done, Err(Error::NotInDocument | Error::Refused { .. })) && !agree_once(&app, id, &did).await {
            tokio::spawn(agree(app, id, did));
        }
        done
    });
    task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn publish_then_write(app: &App, id: AccountId, did: &Did, handle: &Handle) -> Result<(), Error> {
    let failed = |source| Error::Directory { did: did.clone(), source };
    if did.method() == "plc" {
        publish(app, did, handle).await.map_err(|source| match source {
            ResolveError::Refused { .. } => Error::Refused { source },
            source => failed(source),
        })?;
    } else if app.resolver.refresh_did(did).await.map_err(failed)?.handle().as_ref() != Some(handle) {
        return Err(Error::NotInDocument);
    }
    let now = app.clock.now_us();
    let mut tx = app.db.begin().await?;
    account::set_handle(&mut tx, id, handle).await?;
    events::append(&mut tx, &[event::identity(did, Some(handle), &clock::text(now))], now).await?;
    tx.commit().await?;
    Ok(())
}

/// Adds an operation with the handle, unless the newest has it already.
async fn publish(app: &App, did: &Did, handle: &Handle) -> Result<(), ResolveError> {
    let last = app.plc.last(did).await?;
    let named = last.operation.also_known_as.iter().find_map(|name| name.strip_prefix("at://"));
    if named == Some(handle.as_str()) {
        return Ok(());
    }
    app.plc.submit(did, &last.with_handle(handle).sign(&app.keys.rotation)).await
}

/// Makes the directory name the handle that the database has. Says whether that is so now.
async fn agree_once(app: &App, id: AccountId, did: &Did) -> bool {
    let agreed = async {
        if did.method() == "plc"
            && let Some(account) = account::by_id(&app.db, id).await?
        {
            let failed = |source| Error::Directory { did: did.clone(), source };
            publish(app, did, &account.handle).await.map_err(failed)?;
        }
        Ok::<_, Error>(())
    };
    let agreed = agreed.await;
    if let Err(error) = &agreed {
        tracing::warn!(account.did = %did, error = chain(error), "the directory may not have the handle of {did} yet");
    }
    // What was cached may name another handle; a failure leaves it to the cache's own time.
    let _ = app.resolver.refresh_did(did).await;
    agreed.is_ok()
}

async fn agree(app: App, id: AccountId, did: Did) {
    for pause in PAUSES_S {
        tokio::select! {
            () = app.shutdown.cancelled() => break,
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
        }
        if agree_once(&app, id, &did).await {
            return;
        }
    }
    tracing::error!(account.did = %did, "the directory may name another handle than the database for {did}");
}
