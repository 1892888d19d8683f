//! Accounts: signing up, passwords, who an account is right now.

pub mod create;
mod desk;
pub mod password;

use std::sync::Arc;

use pds_store::account::{self, Account, Status};
use pds_syntax::{AtIdentifier, Did};

use crate::app::App;

pub use desk::Desk;

/// The account of a DID as it is now. Reservations are no accounts.
pub async fn by_did(app: &App, did: &Did) -> pds_store::Result<Option<Arc<Account>>> {
    let found = app.accounts.ask(did.clone(), None).await?;
    Ok(found.map(|found| Arc::new(found.account)))
}

/// The account that an identifier names on this host, whatever its state.
pub async fn find(app: &App, identifier: &AtIdentifier) -> pds_store::Result<Option<Arc<Account>>> {
    match identifier {
        AtIdentifier::Did(did) => by_did(app, did).await,
        AtIdentifier::Handle(handle) => {
            let found = account::by_handle(&app.db, handle).await?;
            Ok(found.filter(|account| account.status() != Status::Creating).map(Arc::new))
        }
    }
}
