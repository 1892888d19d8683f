//! The handles of this host, and the parts that they are checked, resolved and changed with.

use std::sync::Arc;

use pds_identity::{Resolver, plc};
use pds_store::Db;
use pds_syntax::Handle;
use tokio_util::sync::CancellationToken;

use super::Lookups;
use crate::clock::Clock;

/// Handles, of this host and of others. Cheap to clone.
#[derive(Clone)]
pub struct Handles(Arc<Parts>);

/// What handles are looked up and changed with.
pub struct Parts {
    /// Accounts and events.
    pub db: Db,
    /// Finds the DIDs and handles of other hosts.
    pub resolver: Resolver,
    /// The same for clients, who share its lookups.
    pub lookups: Lookups,
    /// Where did:plc identities are published.
    pub plc: Arc<dyn plc::Directory>,
    /// Signs PLC operations.
    pub rotation: Arc<dyn plc::RotationKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The domains below which this host gives out handles, each with its leading dot.
    pub domains: Vec<String>,
    /// Ends background work when the server stops.
    pub shutdown: CancellationToken,
}

impl Handles {
    /// The handles of this host.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The lookups that clients ask for.
    pub fn lookups(&self) -> &Lookups {
        &self.0.lookups
    }

    /// The handle domain of this host that `handle` is below, with its leading dot.
    pub(super) fn own_domain(&self, handle: &Handle) -> Option<&str> {
        self.0.domains.iter().map(String::as_str).find(|domain| handle.label_under(domain).is_some())
    }

    /// What stands before the handle domain of this host that `handle` is below.
    pub fn own_label<'a>(&self, handle: &'a Handle) -> Option<&'a str> {
        self.own_domain(handle).and_then(|domain| handle.label_under(domain))
    }
}
