//! Subscriptions that may be open, and turns at reading earlier events, shared among addresses.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rate_limit::{Budget, Client, Part, Sizes};

/// Memory of a follower that reads earlier events, unless it is a fast one far behind; in bytes.
const FOLLOWER_BYTES: usize = 2 << 20;

/// A place among the open subscriptions, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _part: Part,
    /// Turns of all followers, and those of one address.
    pub(super) turns: Turns,
}

/// Turns at reading earlier events. Their number limits the memory of all followers that read them.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    of_address: Arc<Semaphore>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    _of_address: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for a turn of the address, then for one of all.
    pub(super) async fn next(&self) -> Turn {
        let of_address = self.of_address.clone().acquire_owned().await.ok();
        Turn { _of_address: of_address, _of_all: self.all.clone().acquire_owned().await.ok() }
    }

    /// Whether another follower may be waiting for a turn.
    pub(super) fn are_taken(&self) -> bool {
        self.all.available_permits() == 0 || self.of_address.available_permits() == 0
    }
}

/// All places of this replica.
pub(super) struct Places {
    all: Budget,
    turns: Arc<Semaphore>,
    most_turns: usize,
    turns_of_one: usize,
    /// The turns of each address, as long as it has a place.
    by_address: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Places {
    /// One address gets a quarter of everything.
    pub(super) fn new(sizes: Sizes) -> Self {
        let turns = (sizes.subscriber_bytes / FOLLOWER_BYTES).max(2);
        Self {
            all: Budget::shared(sizes.subscribers, sizes.subscribers.div_ceil(4)),
            turns: Arc::new(Semaphore::new(turns)),
            most_turns: turns,
            turns_of_one: (turns / 4).max(1),
            by_address: Mutex::default(),
        }
    }

    /// A place for a subscription of a client. If all are taken, the address with most subscriptions loses its oldest one. Clients of which only
    /// the proxy is known are limited together.
    pub(super) fn take(&self, client: &Client) -> Option<Place> {
        let part = self.all.take(client, 1)?;
        let of_address = match &*client.subject {
            "" => Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            address => self.turns_of(address),
        };
        Some(Place { _part: part, turns: Turns { all: self.turns.clone(), of_address } })
    }

    /// Number of turns that are taken.
    pub(super) fn taken(&self) -> usize {
        self.most_turns.saturating_sub(self.turns.available_permits())
    }

    fn turns_of(&self, address: &str) -> Arc<Semaphore> {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        by_address.retain(|_, turns| turns.strong_count() > 0);
        let turns = by_address.get(address).and_then(Weak::upgrade);
        let turns = turns.unwrap_or_else(|| Arc::new(Semaphore::new(self.turns_of_one)));
        by_address.insert(address.to_owned(), Arc::downgrade(&turns));
        turns
    }
}
