//! The repositories that this replica has in memory, and the parts that loading and writing them takes.

use std::{fmt, sync::Arc, time::Duration};

use pds_crypto::seal::SealKey;
use pds_repo::{Head, mst::Tree};
use pds_store::{AccountId, Db};
use pds_syntax::{Tid, tid};

use super::{
    Committer, Counts,
    recent::Recent,
    slot::Slot,
    turns::{self, ExportTurns, ImportTurns, LoadTurns},
};
use crate::{
    clock::Clock,
    metrics::Metrics,
    rate_limit::{Sizes, Turns},
};

/// How long a repository stays in memory without being used.
const IDLE: Duration = Duration::from_secs(600);

/// Maximum number of repositories whose counts are kept.
const COUNTED: u64 = 10_000;

/// The repositories of this host. Cheap to clone.
#[derive(Clone)]
pub struct Actors(Arc<Inner>);

/// What repositories are loaded from and written with.
pub struct Parts {
    /// Records, heads and sealed keys.
    pub db: Db,
    /// Stores commits.
    pub committer: Committer,
    /// Opens signing keys.
    pub seal: Arc<SealKey>,
    /// The time of commits.
    pub clock: Arc<dyn Clock>,
    /// Makes revisions and record keys.
    pub tids: Arc<tid::Clock>,
    /// Counts commits.
    pub metrics: Metrics,
    /// Limits of imports.
    pub import: pds_config::Import,
    /// Maximum size of all records and blobs of an account that has no quota of its own, in bytes.
    pub quota: Option<u64>,
    /// Memory for repositories, disk for exports.
    pub sizes: Sizes,
    /// Connections to the database; exports use half of them, and so do lists.
    pub connections: u32,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) loads: LoadTurns,
    pub(super) lists: Turns,
    pub(super) exports: ExportTurns,
    pub(super) imports: ImportTurns,
    /// What repositories contain at a revision, because counting takes as long as reading them.
    pub(super) counts: moka::future::Cache<AccountId, (Tid, Counts)>,
    pub(super) recent: Recent,
    slots: moka::future::Cache<AccountId, Arc<Slot>>,
}

impl Actors {
    /// Repositories, none of which is in memory yet.
    pub fn new(parts: Parts) -> Self {
        let sizes = parts.sizes;
        let heaviest = u32::try_from(sizes.repo_bytes / 4 * 3).unwrap_or(u32::MAX);
        let slots = moka::future::Cache::builder()
            // One that is larger than the whole cache is kept too: loading it again for each of its readers would cost more.
            .weigher(move |_, slot: &Arc<Slot>| slot.weight().min(heaviest))
            .max_capacity(sizes.repo_bytes)
            .time_to_idle(IDLE);
        let exports = ExportTurns::new(parts.connections, sizes.spool_bytes);
        let (loads, imports) = (LoadTurns::default(), ImportTurns::new(sizes.import_bytes));
        let (lists, slots) = (turns::lists(parts.connections), slots.build());
        let counts = moka::future::Cache::builder().max_capacity(COUNTED).time_to_idle(IDLE).build();
        let recent = Recent::default();
        Self(Arc::new(Inner { parts, loads, lists, exports, imports, counts, recent, slots }))
    }

    /// Whether so many commits wait to be stored that new ones are refused.
    pub(super) fn is_overloaded(&self) -> bool {
        self.parts().committer.is_full()
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(super) fn now_us(&self) -> i64 {
        self.parts().clock.now_us()
    }

    /// A revision for a commit at `now_us` that is built on `rev`.
    pub(super) fn next_rev(&self, now_us: i64, rev: Tid) -> Tid {
        self.parts().tids.next_after(now_us.unsigned_abs(), rev)
    }

    pub(super) async fn slot(&self, id: AccountId) -> Arc<Slot> {
        self.0.slots.get_with(id, async { Arc::default() }).await
    }

    /// Tells the cache how many bytes the tree of a repository takes, if that has changed much.
    pub(super) async fn weigh(&self, id: AccountId, slot: &Arc<Slot>, tree_bytes: usize) {
        if slot.recount(tree_bytes) {
            self.0.slots.insert(id, slot.clone()).await;
        }
    }

    /// The tree at `head`, if it is in memory.
    pub(super) async fn tree_at(&self, id: AccountId, head: &Head) -> Option<Tree> {
        self.0.slots.get(&id).await?.tree_at(head)
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actors({} in {} bytes)", self.0.slots.entry_count(), self.0.slots.weighted_size())
    }
}
