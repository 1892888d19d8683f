//! The sequencer: what its task and all followers share.

use std::{fmt, sync::Arc, time::Duration};

use pds_repo::event::Frame;
use pds_store::{Db, event};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    message::Run,
    place::{Place, Places},
    ring::Ring,
};
use crate::{
    rate_limit::{Client, Sizes},
    report::Failed,
};

/// Bytes of messages in the ring.
const RING_BYTES: usize = 32 << 20;
/// Number of followers that may read far more at once while they catch up.
const FAST_FOLLOWERS: usize = 4;
/// Number of pages that are read ahead of such a follower.
pub(super) const FAST_WINDOWS: usize = 2;
/// Rows of events that are deleted in one transaction.
const PRUNED_ROWS: u32 = 500;

/// The events of this host. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) db: Db,
    pub(super) ring: Ring,
    /// Notified when a follower comes.
    pub(super) followed: Notify,
    pub(super) places: Places,
    /// For followers that are given more memory while they catch up.
    pub(super) fast_followers: Semaphore,
    /// Reads of earlier events at once: they must not take all connections from writers.
    pub(super) reads: Arc<Semaphore>,
    /// How far back followers may begin.
    pub(super) window: Duration,
    pub(super) shutdown: CancellationToken,
}

impl Sequencer {
    /// Starts the task that reads new events. It does nothing until there is a follower; earlier events are read from the database.
    pub fn start(
        db: Db,
        settings: &pds_config::Sync,
        sizes: Sizes,
        failed: &Failed,
        shutdown: CancellationToken,
    ) -> Self {
        let reads = usize::try_from(db.max_connections() / 4).unwrap_or(usize::MAX).max(FAST_WINDOWS);
        let this = Self(Arc::new(Shared {
            ring: Ring::new(0, RING_BYTES),
            followed: Notify::new(),
            places: Places::new(sizes),
            fast_followers: Semaphore::new(FAST_FOLLOWERS),
            reads: Arc::new(Semaphore::new(reads)),
            window: settings.backfill_limit,
            db,
            shutdown,
        }));
        failed.supervise("sequencer", this.clone().run());
        let (ring, shutdown) = (this.clone(), this.0.shutdown.clone());
        failed.supervise("wakes of followers", async move {
            shutdown.run_until_cancelled(ring.0.ring.wake_followers()).await;
        });
        this
    }

    /// A place for a subscription of a client, if there is one.
    pub fn place(&self, client: &Client) -> Option<Place> {
        self.0.places.take(client)
    }

    /// Number of followers that read earlier events now, each within its part of the memory of all.
    pub fn followers_reading(&self) -> usize {
        self.0.places.taken()
    }

    /// The newest number in the ring: that of the newest event that this replica has seen, while there are followers.
    pub(super) fn head(&self) -> i64 {
        self.0.ring.head()
    }

    /// Puts frames that this replica has just stored into the ring, the first as number `first_seq`, so that they are not read. Does nothing
    /// if there are events before them that the ring does not have.
    pub fn offer(&self, first_seq: i64, frames: Vec<Frame>) {
        if self.0.ring.is_watched() && first_seq == self.head() + 1 {
            let frames: Vec<_> = (first_seq..).zip(frames).collect();
            self.0.ring.push_next(Run::new(&frames).each());
        }
    }

    /// Deletes events older than the window. `now_us` is in microseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, now_us: i64) -> anyhow::Result<()> {
        let before = now_us - i64::try_from(self.0.window.as_micros())?;
        loop {
            let mut tx = self.0.db.begin().await?;
            let deleted = event::prune_before(&mut tx, before, PRUNED_ROWS).await?;
            tx.commit().await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequencer({})", self.head())
    }
}
