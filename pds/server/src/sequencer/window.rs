//! Parts of the sequence that are read from the database ahead of a follower.

use std::sync::Arc;

use pds_store::{
    Db,
    event::{self, Page},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;

use super::{
    run::READ_BYTES,
    shared::{FAST_WINDOWS, Sequencer},
};

/// Stored bytes of a page of a fast follower. It takes about seven megabytes, others two.
const FAST_BYTES: usize = 1 << 20;

/// A part of the sequence, being read.
pub(super) struct Window {
    /// The last number, which is not after the head: all its events can be read. `None`: as many events as a page has room for.
    pub(super) last: Option<i64>,
    pub(super) page: AbortOnDropHandle<pds_store::Result<Page>>,
}

/// Reads windows for one follower.
pub(super) struct Reads<'a> {
    db: Db,
    turns: Arc<Semaphore>,
    /// Held by one of the followers that may read more at once.
    fast: Option<SemaphorePermit<'a>>,
    /// Numbers of a window, so that mostly a page has room for all of its events.
    width: i64,
}

impl<'a> Reads<'a> {
    /// As a fast follower if `is_far` and there are not too many of them. The database spends a third less on each event then, and is
    /// waited for less.
    pub(super) fn new(sequencer: &'a Sequencer, is_far: bool) -> Self {
        let fast = sequencer.0.fast_followers.try_acquire().ok().filter(|_| is_far);
        Self { db: sequencer.0.db.clone(), turns: sequencer.0.reads.clone(), fast, width: i64::MAX }
    }

    /// Stored bytes of a page.
    pub(super) fn bytes(&self) -> usize {
        if self.fast.is_some() { FAST_BYTES } else { READ_BYTES }
    }

    /// Number of windows that are read ahead.
    pub(super) fn windows(&self) -> usize {
        if self.fast.is_some() { FAST_WINDOWS } else { 1 }
    }

    /// The follower turned out to be slow: it no longer reads more at once than others.
    pub(super) fn slow_down(&mut self) {
        if self.fast.take().is_some() {
            self.width /= 4;
        }
    }

    /// Begins to read the events after number `after`, up to `last` or as many as a page has room for.
    pub(super) fn window(&self, after: i64, last: Option<i64>) -> Window {
        let (db, turns, bytes) = (self.db.clone(), self.turns.clone(), self.bytes());
        let page = async move {
            let _turn = turns.acquire().await;
            event::between(&db, after, last.unwrap_or(i64::MAX), bytes).await
        };
        Window { last, page: AbortOnDropHandle::new(tokio::spawn(page)) }
    }

    /// Begins to read a window of the usual width after number `after`, not beyond `head`.
    pub(super) fn usual_window(&self, after: i64, head: i64) -> Window {
        self.window(after, Some(after.saturating_add(self.width).min(head)))
    }

    /// Adjusts the width of windows to a page whose window was `numbers` wide.
    pub(super) fn learn(&mut self, page: &Page, numbers: i64) {
        // A page is also cut when it has as many rows as there would be room for if each were as long as it may be.
        let used: usize = page.batches.iter().map(|batch| batch.stored_bytes().max(event::ROW_BYTES)).sum();
        if page.is_cut {
            self.width = (numbers - numbers / 4).max(1);
        } else if used < self.bytes() / 2 {
            self.width = self.width.saturating_mul(2);
        }
    }
}
