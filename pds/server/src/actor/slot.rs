//! What this replica keeps in memory of one repository.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use pds_repo::{Head, mst::Tree};
use tokio::{
    sync::{Notify, futures::Notified},
    time::sleep,
};

use super::line::Line;

/// Memory that a repository takes at least, as the cache counts it. Bounds how many are kept.
const SLOT_BYTES: u64 = 48 << 10;

/// How often a change of a repository is tried again after another one came first.
pub(super) const ATTEMPTS: u32 = 24;
/// How long a change waits for the changes before it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The pause before the next attempt. Two replicas that tried again at once would go on losing to each other.
pub(super) async fn pause(attempt: u32) {
    sleep(Duration::from_millis(rand::random_range(0..=1u64 << attempt.min(6)))).await;
}

/// The place of a repository in the cache.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by the writer that builds the next commit. Commits are passed to the committer in this order.
    pub(super) writer: tokio::sync::Mutex<()>,
    /// Held by the one import of this repository that may run.
    pub(super) importer: Arc<tokio::sync::Mutex<()>>,
    /// Whether a reader loads the tree for all readers. It has its turn.
    is_loading: AtomicBool,
    /// Notified when it has ended.
    loaded: Notify,
    line: Mutex<Line>,
    /// Notified when the committer has answered a writer.
    answered: Notify,
    /// Memory of the tree in bytes, as the cache last counted it.
    counted_bytes: AtomicUsize,
    /// The tree that readers loaded, until a writer has one.
    readers_tree: Mutex<Option<(Head, Tree)>>,
}

/// Marks a repository as being loaded for readers until it is dropped.
pub(super) struct Loading(Arc<Slot>);

impl Loading {
    /// `None` if the repository is being loaded already.
    pub(super) fn begin(slot: &Arc<Slot>) -> Option<Self> {
        (!slot.is_loading.swap(true, Ordering::AcqRel)).then(|| Self(slot.clone()))
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.0.is_loading.store(false, Ordering::Release);
        self.0.loaded.notify_waiters();
    }
}

impl Slot {
    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the callers of [`Slot::settled`] to look again.
    pub(super) fn notify_answered(&self) {
        self.answered.notify_waiters();
    }

    /// Waits until no commit of the line waits for its answer.
    pub(super) async fn settled(&self) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if self.line().is_settled() {
                return;
            }
            answered.await;
        }
    }

    pub(super) fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::Acquire)
    }

    /// Ends when the next load for readers ends, as long as it ends after this call.
    pub(super) fn loaded(&self) -> Pin<Box<Notified<'_>>> {
        let mut loaded = Box::pin(self.loaded.notified());
        loaded.as_mut().enable();
        loaded
    }

    /// The tree at `head`, if it is in memory.
    pub(super) fn tree_at(&self, head: &Head) -> Option<Tree> {
        let written = self.line().tree_at(head);
        written
            .or_else(|| self.readers_tree().as_ref().filter(|(known, _)| known == head).map(|(_, tree)| tree.clone()))
    }

    pub(super) fn set_readers_tree(&self, head: Head, tree: Tree) {
        *self.readers_tree() = Some((head, tree));
    }

    pub(super) fn drop_readers_tree(&self) {
        self.readers_tree().take();
    }

    /// Stores the memory of the tree if it differs enough from the last one to be counted again. Says whether it does.
    pub(super) fn recount(&self, tree_bytes: usize) -> bool {
        let counted = self.counted_bytes.load(Ordering::Relaxed);
        let differs = tree_bytes.abs_diff(counted) > counted / 8 + 8192;
        if differs {
            self.counted_bytes.store(tree_bytes, Ordering::Relaxed);
        }
        differs
    }

    /// Memory that the repository takes, in bytes.
    pub(super) fn weight(&self) -> u32 {
        let tree = u64::try_from(self.counted_bytes.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        u32::try_from(SLOT_BYTES.saturating_add(tree)).unwrap_or(u32::MAX)
    }

    fn readers_tree(&self) -> MutexGuard<'_, Option<(Head, Tree)>> {
        self.readers_tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
