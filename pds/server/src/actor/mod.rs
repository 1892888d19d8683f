//! Repositories at work: loading, writing, one writer at a time per repository and replica.
//!
//! No replica owns a repository. The lock here only saves work; what decides is the compare-and-swap in the database.

mod committer;
pub mod export;
pub mod import;
mod load;
pub mod prepare;
mod spool;
pub mod write;

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pds_crypto::SigningKey;
use pds_repo::{Head, Repo, mst::Tree};
use pds_store::AccountId;
use pds_syntax::Did;
use tokio::sync::Notify;

use crate::rate_limit::Sizes;

pub use committer::{Committer, SubmitError};
pub use load::{LoadError, View, load, off_thread, view};

/// The name under which an account's signing key is sealed.
pub(crate) fn seal_purpose(did: &Did) -> String {
    format!("repository signing key of {did}")
}

/// What a repository takes at least, and how long one stays without being used.
const SLOT_BYTES: u64 = 48 << 10;
const IDLE: Duration = Duration::from_secs(600);
/// What a tree takes per record, about.
const RECORD_BYTES: u64 = 80;

/// A repository with its key, as this replica last saw it.
#[derive(Clone)]
pub struct Actor {
    /// Tree and head.
    pub repo: Repo,
    /// Signs its commits.
    pub key: Arc<SigningKey>,
}

/// The place of a repository.
#[derive(Default)]
struct Slot {
    /// Whoever holds it builds the next commit. Commits are handed to the committer in this order.
    turn: tokio::sync::Mutex<()>,
    line: Mutex<Line>,
    /// Held by the one import of this repository that may run.
    importing: Arc<tokio::sync::Mutex<()>>,
    /// Something was answered.
    answered: Notify,
    /// As many as the cache was told of.
    records: AtomicUsize,
    /// The tree that readers loaded, as long as no writer has one.
    read: Mutex<Option<(Head, Tree)>>,
    /// Whoever holds it loads the repository for all who read it.
    loading: tokio::sync::Mutex<()>,
}

/// Commits built on each other, from the last one known to be stored to the last one built.
///
/// A commit is built on the one before it without waiting until that is stored: the two may go into one transaction. If one fails, those
/// behind it expect a head that never was, so the database refuses them too, and the line is drawn anew.
#[derive(Default)]
struct Line {
    /// The last one built.
    tip: Option<Actor>,
    /// The last one known to be stored.
    stored: Option<Actor>,
    /// Commits of this line that wait for their answer.
    waiting: usize,
    /// Subjects of the records in them: the database does not know of these yet.
    subjects: HashSet<i64>,
    /// How often the line was drawn anew. What belongs to an earlier one says nothing about this one.
    number: u64,
}

impl Line {
    /// What the next commit is built on, unless it has to be loaded, and the line's number.
    fn tip(&self) -> (Option<Actor>, u64) {
        (self.tip.clone(), self.number)
    }

    /// Starts from what the database has. The line's number.
    fn draw(&mut self, actor: Actor) -> u64 {
        *self = Self { tip: Some(actor.clone()), stored: Some(actor), number: self.number + 1, ..Self::default() };
        self.number
    }

    /// A commit on the line's tip was handed to the committer.
    fn extend(&mut self, number: u64, actor: Actor, subjects: impl Iterator<Item = i64>) {
        if number == self.number {
            self.tip = Some(actor);
            self.waiting += 1;
            self.subjects.extend(subjects);
        }
    }

    /// It was stored. Answers do not come in the order of the commits.
    fn stored(&mut self, number: u64, actor: Actor) {
        if number == self.number {
            let newest = self.stored.as_ref().map(|stored| stored.repo.head.rev);
            if newest.is_none_or(|newest| newest < actor.repo.head.rev) {
                self.stored = Some(actor);
            }
            self.waiting -= 1;
            if self.waiting == 0 {
                self.subjects.clear();
            }
        }
    }

    /// The repository is another one now: the next writer loads it.
    fn forget(&mut self) {
        *self = Self { number: self.number + 1, ..Self::default() };
    }

    /// It was not, or nobody knows: the next writer loads the repository.
    fn broken(&mut self, number: u64) {
        if number == self.number {
            *self = Self { number: number + 1, ..Self::default() };
        }
    }
}

impl Slot {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no commit waits for its answer.
    async fn settled(&self) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if self.line().waiting == 0 {
                return;
            }
            answered.await;
        }
    }

    /// The tree at `head`, if it is here.
    fn at(&self, head: &Head) -> Option<Tree> {
        let line = self.line();
        let written = [&line.stored, &line.tip].into_iter().flatten().find(|actor| actor.repo.head == *head);
        if let Some(actor) = written {
            return Some(actor.repo.tree.clone());
        }
        drop(line);
        self.read().as_ref().filter(|(known, _)| known == head).map(|(_, tree)| tree.clone())
    }

    fn read(&self) -> MutexGuard<'_, Option<(Head, Tree)>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes. The constant part bounds how many fit.
    fn weight(&self) -> u32 {
        let records = u64::try_from(self.records.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        u32::try_from(SLOT_BYTES.saturating_add(records.saturating_mul(RECORD_BYTES))).unwrap_or(u32::MAX)
    }
}

/// The repositories that this replica has in memory, those it is sending out and those it is taking in.
#[derive(Clone)]
pub struct Actors {
    slots: moka::future::Cache<AccountId, Arc<Slot>>,
    exports: export::Turns,
    imports: import::Turns,
    loads: load::Turns,
}

impl Actors {
    /// With so much memory, and disk for exports.
    pub fn new(sizes: Sizes) -> Self {
        let heaviest = u32::try_from(sizes.repo_bytes / 4 * 3).unwrap_or(u32::MAX);
        let slots = moka::future::Cache::builder()
            // One that is larger than all of the room is kept too: to load it for each of its readers would cost more.
            .weigher(move |_, slot: &Arc<Slot>| slot.weight().min(heaviest))
            .max_capacity(sizes.repo_bytes)
            .time_to_idle(IDLE);
        Self {
            slots: slots.build(),
            exports: export::Turns::new(sizes.spool_bytes),
            imports: import::Turns::default(),
            loads: load::Turns::default(),
        }
    }

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

    /// The tree at `head`, if it is in memory so.
    pub(crate) async fn at(&self, id: AccountId, head: &Head) -> Option<Tree> {
        self.slots.get(&id).await?.at(head)
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actors({} in {} bytes)", self.slots.entry_count(), self.slots.weighted_size())
    }
}
