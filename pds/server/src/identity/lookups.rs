//! Lookups of DIDs and handles that clients name.
//!
//! Owns how many are under way at once and for whom: each takes requests to servers that strangers choose, which may be silent. What is known is
//! answered at once.

use std::{fmt, sync::Arc, time::Duration};

use futures::FutureExt;
use pds_identity::{DidDocument, Error, Resolver};
use pds_syntax::{Did, Handle};

use crate::{
    rate_limit::{Turn, Turns},
    task::run_to_end,
};

/// Lookups under way, of all clients and of one.
const LOOKUPS: usize = 32;
const LOOKUPS_OF_ONE: usize = 4;
/// Clients that may wait for a lookup, and for how long.
const WAITING: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Lookups that clients ask for. Cheap to clone.
#[derive(Clone)]
pub struct Lookups {
    resolver: Resolver,
    turns: Turns,
}

impl Lookups {
    /// None is under way.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, turns: Turns::shared(LOOKUPS, LOOKUPS_OF_ONE, WAITING) }
    }

    /// As [`Resolver::did`], for a client at this address.
    ///
    /// # Errors
    /// Those of the resolver, or [`Error::Busy`].
    pub async fn did(&self, did: &Did, address: &str) -> Result<Arc<DidDocument>, Error> {
        match self.resolver.known_did(did).await {
            Some((found, true)) => found,
            Some((found, false)) => {
                if let Some(turn) = self.free_turn(address) {
                    tokio::spawn(self.refreshed_did(did.clone(), turn));
                }
                found
            }
            None => {
                let (resolver, did, turn) = (self.resolver.clone(), did.clone(), self.turn(address).await?);
                run_to_end(during(turn, async move { resolver.did(&did).await })).await
            }
        }
    }

    /// As [`Resolver::refresh_did`], for a client at this address.
    ///
    /// # Errors
    /// As [`Lookups::did`].
    pub async fn fresh_did(&self, did: &Did, address: &str) -> Result<Arc<DidDocument>, Error> {
        let turn = self.turn(address).await?;
        run_to_end(self.refreshed_did(did.clone(), turn)).await
    }

    /// As [`Resolver::handle`], for a client at this address.
    ///
    /// # Errors
    /// As [`Lookups::did`].
    pub async fn handle(&self, handle: &Handle, address: &str) -> Result<Did, Error> {
        match self.resolver.known_handle(handle).await {
            Some((found, true)) => found,
            Some((found, false)) => {
                if let Some(turn) = self.free_turn(address) {
                    tokio::spawn(self.refreshed_handle(handle.clone(), turn));
                }
                found
            }
            None => {
                let (resolver, handle, turn) = (self.resolver.clone(), handle.clone(), self.turn(address).await?);
                run_to_end(during(turn, async move { resolver.handle(&handle).await })).await
            }
        }
    }

    /// As [`Resolver::refresh_handle`], for a client at this address.
    ///
    /// # Errors
    /// As [`Lookups::did`].
    pub async fn fresh_handle(&self, handle: &Handle, address: &str) -> Result<Did, Error> {
        let turn = self.turn(address).await?;
        run_to_end(self.refreshed_handle(handle.clone(), turn)).await
    }

    fn refreshed_did(
        &self,
        did: Did,
        turn: Turn,
    ) -> impl Future<Output = Result<Arc<DidDocument>, Error>> + Send + use<> {
        let resolver = self.resolver.clone();
        during(turn, async move { resolver.refresh_did(&did).await })
    }

    fn refreshed_handle(&self, handle: Handle, turn: Turn) -> impl Future<Output = Result<Did, Error>> + Send + use<> {
        let resolver = self.resolver.clone();
        during(turn, async move { resolver.refresh_handle(&handle).await })
    }

    async fn turn(&self, address: &str) -> Result<Turn, Error> {
        tokio::time::timeout(PATIENCE, self.turns.next(address)).await.ok().flatten().ok_or(Error::Busy)
    }

    /// A turn for which nobody waits.
    fn free_turn(&self, address: &str) -> Option<Turn> {
        self.turns.next(address).now_or_never().flatten()
    }
}

/// A lookup that keeps its turn to its end, also if its client gives up.
async fn during<T>(turn: Turn, lookup: impl Future<Output = T>) -> T {
    let found = lookup.await;
    drop(turn);
    found
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookups({:?})", self.turns)
    }
}
