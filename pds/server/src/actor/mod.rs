//! Repositories at work: loading, writing, one writer at a time per repository and replica.
//!
//! No replica owns a repository. The lock here only saves work; what decides is the compare-and-swap in the database.

mod committer;
pub mod export;
mod load;
pub mod prepare;
pub mod write;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pds_crypto::SigningKey;
use pds_repo::Repo;
use pds_store::AccountId;
use pds_syntax::Did;
use tokio::sync::Mutex;

pub use committer::{Committer, SubmitError};
pub use load::{LoadError, load, tree};

/// The name under which an account's signing key is sealed.
pub(crate) fn seal_purpose(did: &Did) -> String {
    format!("repository signing key of {did}")
}

/// How much memory repositories may take, how many there may be, and how long one stays without being used.
const KEPT_BYTES: u64 = 256 << 20;
const KEPT: u64 = 2_000;
const IDLE: Duration = Duration::from_secs(600);
/// What a tree takes per record, about.
const RECORD_BYTES: u64 = 190;

/// A repository with its key, as this replica last saw it.
#[derive(Clone)]
pub struct Actor {
    /// Tree and head.
    pub repo: Repo,
    /// Signs its commits.
    pub key: Arc<SigningKey>,
}

/// The place of a repository; whoever holds its lock writes.
#[derive(Default)]
struct Slot {
    actor: Mutex<Option<Actor>>,
    /// As many as the cache was told of.
    records: AtomicUsize,
}

impl Slot {
    /// Bytes. The constant part sees to it that no more than [`KEPT`] fit.
    fn weight(&self) -> u32 {
        let records = u64::try_from(self.records.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        u32::try_from((KEPT_BYTES / KEPT).saturating_add(records.saturating_mul(RECORD_BYTES))).unwrap_or(u32::MAX)
    }
}

/// The repositories that this replica has in memory, and those it is sending out.
#[derive(Clone)]
pub struct Actors {
    slots: moka::future::Cache<AccountId, Arc<Slot>>,
    exports: export::Turns,
}

impl Default for Actors {
    fn default() -> Self {
        let slots = moka::future::Cache::builder()
            .weigher(|_, slot: &Arc<Slot>| slot.weight())
            .max_capacity(KEPT_BYTES)
            .time_to_idle(IDLE);
        Self { slots: slots.build(), exports: export::Turns::default() }
    }
}

impl Actors {
    async fn slot(&self, id: AccountId) -> Arc<Slot> {
        self.slots.get_with(id, async { Arc::default() }).await
    }

    /// Tells the cache how large a repository has become, unless it knows about.
    async fn weigh(&self, id: AccountId, slot: &Arc<Slot>, records: usize) {
        let known = slot.records.load(Ordering::Relaxed);
        if records.abs_diff(known) > known / 8 + 64 {
            slot.records.store(records, Ordering::Relaxed);
            self.slots.insert(id, slot.clone()).await;
        }
    }

    /// The repository as it is in memory, unless it is not or somebody is writing to it.
    pub(crate) async fn peek(&self, id: AccountId) -> Option<Actor> {
        self.slots.get(&id).await?.actor.try_lock().ok()?.clone()
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actors({} in {} bytes)", self.slots.entry_count(), self.slots.weighted_size())
    }
}
