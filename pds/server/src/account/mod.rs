//! Accounts: signing up, passwords, who an account is right now.

pub mod create;
pub mod password;

use std::{fmt, sync::Arc, time::Duration};

use pds_store::account::{self, Account, Status};
use pds_syntax::{AtIdentifier, Did};

use crate::app::App;

/// How long another replica's change of an account may go unseen here.
const FRESH: Duration = Duration::from_secs(5);

/// Accounts that requests come from. An entry lives for seconds; a change on this replica drops it at once.
#[derive(Clone)]
pub struct Cache(moka::future::Cache<Did, Arc<Account>>);

impl Default for Cache {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(10_000).time_to_live(FRESH).build())
    }
}

impl Cache {
    /// Drops what is remembered of an account.
    pub async fn forget(&self, did: &Did) {
        self.0.invalidate(did).await;
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.0.entry_count())
    }
}

/// The account of a DID, at most a few seconds old. Reservations are no accounts.
pub async fn cached(app: &App, did: &Did) -> pds_store::Result<Option<Arc<Account>>> {
    if let Some(account) = app.accounts.0.get(did).await {
        return Ok(Some(account));
    }
    let found =
        account::by_did(&app.db, did).await?.filter(|account| account.status() != Status::Creating).map(Arc::new);
    if let Some(account) = &found {
        app.accounts.0.insert(did.clone(), account.clone()).await;
    }
    Ok(found)
}

/// The account that an identifier names on this host, whatever its state.
pub async fn find(app: &App, identifier: &AtIdentifier) -> pds_store::Result<Option<Arc<Account>>> {
    match identifier {
        AtIdentifier::Did(did) => cached(app, did).await,
        AtIdentifier::Handle(handle) => {
            let found = account::by_handle(&app.db, handle).await?;
            Ok(found.filter(|account| account.status() != Status::Creating).map(Arc::new))
        }
    }
}
