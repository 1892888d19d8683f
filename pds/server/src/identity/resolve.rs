//! Which DID a handle has, which handle a DID has, and whether the two agree.

use std::sync::Arc;

use pds_identity::{DidDocument, Error as ResolveError};
use pds_store::account::{self, Account, Status};
use pds_syntax::{AtIdentifier, Did, Handle};

use super::Handles;

/// The handle of an identity whose handle and document do not name each other.
const INVALID: &str = "handle.invalid";

/// An identity as others see it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The DID.
    pub did: Did,
    /// The handle in the document if it resolves to the DID, or `handle.invalid`.
    pub handle: Handle,
    /// The document.
    pub document: Arc<DidDocument>,
}

/// Why an identity could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The handle has no DID.
    #[error("Unable to resolve handle")]
    NoHandle,
    /// Too many lookups are under way.
    #[error("Too many lookups are under way, try again")]
    Busy,
    /// There is no document.
    #[error("Could not resolve DID: {did}")]
    Document {
        /// The DID.
        did: Did,
        /// The cause.
        #[source]
        source: ResolveError,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl Handles {
    /// The DID behind a handle: for accounts of this host from the database, for others from the network. The handle of an account of this host
    /// below a foreign domain counts only as long as that domain names the account.
    ///
    /// # Errors
    /// When the database cannot be read, or the client at `address` has too many lookups under way.
    pub async fn resolve(&self, handle: &Handle, address: &str) -> Result<Option<Did>, Error> {
        self.resolve_from(handle, false, address).await
    }

    async fn resolve_from(&self, handle: &Handle, fresh: bool, address: &str) -> Result<Option<Did>, Error> {
        let own = account::by_handle(&self.parts().db, handle).await?;
        let now = self.parts().clock.now_us();
        let own = own.filter(|account| account.status_at(now) == Status::Active);
        // A name below a domain of this host belongs to an account here or to nobody.
        if self.own_domain(handle).is_some() {
            return Ok(own.map(|account| account.did));
        }
        let lookups = self.lookups();
        let found = match fresh {
            true => lookups.fresh_handle(handle, address).await,
            false => lookups.handle(handle, address).await,
        };
        Ok(match found {
            Ok(did) => Some(did),
            Err(ResolveError::Busy) => return Err(Error::Busy),
            // Name servers that are away are no reason to lose the handle.
            Err(ResolveError::Unreachable { .. }) => own.map(|account| account.did),
            Err(_) => None,
        })
    }

    /// The handle of an account as answers show it: `handle.invalid` if its domain does not name the account any more.
    pub async fn shown(&self, account: &Account) -> Handle {
        if self.own_domain(&account.handle).is_some() {
            return account.handle.clone();
        }
        match self.parts().resolver.handle(&account.handle).await {
            Ok(did) if did == account.did => account.handle.clone(),
            Err(ResolveError::Unreachable { .. }) => account.handle.clone(),
            _ => invalid(),
        }
    }

    /// An identity of any host, from the caches or, if `fresh`, from the servers that have it; for a client at `address`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn identity(&self, identifier: &AtIdentifier, fresh: bool, address: &str) -> Result<Resolved, Error> {
        let lookups = self.lookups();
        let did = match identifier {
            AtIdentifier::Did(did) => did.clone(),
            AtIdentifier::Handle(handle) => self.resolve_from(handle, fresh, address).await?.ok_or(Error::NoHandle)?,
        };
        let document = match fresh {
            true => lookups.fresh_did(&did, address).await,
            false => lookups.did(&did, address).await,
        };
        let document = document.map_err(|source| match source {
            ResolveError::Busy => Error::Busy,
            source => Error::Document { did: did.clone(), source },
        })?;
        let handle = match document.handle() {
            // It was resolved a moment ago if it is the handle that was asked for.
            Some(handle)
                if self
                    .resolve_from(&handle, fresh && *identifier != AtIdentifier::Handle(handle.clone()), address)
                    .await?
                    .as_ref()
                    == Some(&did) =>
            {
                handle
            }
            _ => invalid(),
        };
        Ok(Resolved { did, handle, document })
    }
}

fn invalid() -> Handle {
    INVALID.parse().expect("it is a handle by its form")
}
