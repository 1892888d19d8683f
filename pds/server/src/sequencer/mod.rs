//! Events in order, to whoever follows: one task reads them from the database, numbers them, and keeps the newest in a ring.
//!
//! The order and the numbers come from the database alone, so every replica says the same. A wake-up is only a hint to look. A replica
//! that nobody follows does not look at all, so that replicas do not read for nothing what the others write.

mod backfill;
mod message;
mod ring;
mod subscription;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use pds_repo::event::Frame;
use pds_store::{
    Db,
    event::{self, Batch, Teller, Wakeups},
};
use tokio::{
    sync::{Notify, Semaphore},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    rate_limit::{Share, Shares, Sizes},
    report::Failed,
};
use message::Run;
pub use message::message;
use ring::Ring;
pub use subscription::{Next, Start, StartError, Subscription};

/// How long the task goes without looking when no wake-up comes.
const POLL: Duration = Duration::from_millis(100);
/// Between two reads, unless there is a whole page more: other replicas tell of every batch, and reading a few together costs
/// the database no more than reading one. What comes after a pause is read at once.
const GATHER: Duration = Duration::from_millis(3);
/// After a failed read.
const BACKOFF: Duration = Duration::from_millis(500);
/// Stored bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// Finished messages kept in memory.
const RING_BYTES: usize = 32 << 20;

/// The events of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Sequencer(Arc<Shared>);

/// A place among the subscriptions, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _share: Share,
    /// Those of its address.
    turns: Arc<Semaphore>,
}

struct Shared {
    db: Db,
    ring: Ring,
    /// Somebody began to follow.
    followed: Notify,
    /// For followers that are given more memory while they catch up.
    wide: Semaphore,
    /// Open subscriptions.
    places: Shares,
    /// What the followers of one address may take of `turns`.
    turns_of_one: usize,
    /// By address, as long as somebody has it.
    own_turns: Mutex<HashMap<String, Weak<Semaphore>>>,
    /// For followers that read the past: what they have in memory is bounded by how many of them do it at once.
    turns: Arc<Semaphore>,
    /// For reading the past, which shall not take all connections from those who write.
    reads: Arc<Semaphore>,
    /// How far back subscribers may begin.
    window: Duration,
    shutdown: CancellationToken,
}

impl Sequencer {
    /// Rests until somebody follows; events before that are read from the database when they are asked for.
    pub fn start(
        db: Db,
        settings: &pds_config::Sync,
        sizes: Sizes,
        failed: &Failed,
        shutdown: CancellationToken,
    ) -> Self {
        let reads = usize::try_from(db.max_connections() / 4).unwrap_or(usize::MAX).max(backfill::WIDE_WINDOWS);
        let turns = (sizes.subscriber_bytes / backfill::BYTES).max(2);
        let this = Self(Arc::new(Shared {
            ring: Ring::new(0, RING_BYTES),
            followed: Notify::new(),
            wide: Semaphore::new(backfill::WIDE),
            places: Shares::new(sizes.subscribers, sizes.subscribers.div_ceil(4)),
            turns: Arc::new(Semaphore::new(turns)),
            turns_of_one: (turns / 4).max(1),
            own_turns: Mutex::default(),
            reads: Arc::new(Semaphore::new(reads)),
            window: settings.backfill_limit,
            db,
            shutdown,
        }));
        failed.supervise("sequencer", this.clone().run());
        this
    }

    /// A place for a subscription from an address, if there is one.
    pub fn place(&self, address: &str) -> Option<Place> {
        let share = self.0.places.take(address)?;
        if address.is_empty() {
            return Some(Place { _share: share, turns: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) });
        }
        let mut own = self.0.own_turns.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, turns| turns.strong_count() > 0);
        let turns = own.get(address).and_then(Weak::upgrade);
        let turns = turns.unwrap_or_else(|| Arc::new(Semaphore::new(self.0.turns_of_one)));
        own.insert(address.to_owned(), Arc::downgrade(&turns));
        Some(Place { _share: share, turns })
    }

    /// The newest number in the ring: that of the newest event which this replica has seen, while somebody follows.
    fn head(&self) -> i64 {
        self.0.ring.head()
    }

    /// Takes over frames that this replica has just stored, the first as number `first_seq`, unless there are others before them to be
    /// read. Saves reading them.
    pub fn offer(&self, first_seq: i64, frames: Vec<Frame>) {
        if self.0.ring.is_watched() && first_seq == self.head() + 1 {
            let frames: Vec<_> = (first_seq..).zip(frames).collect();
            self.0.ring.push_next(Run::new(&frames).each());
        }
    }

    /// Deletes events older than the window.
    pub async fn prune(&self, now_us: i64) -> anyhow::Result<()> {
        let before = now_us - i64::try_from(self.0.window.as_micros())?;
        loop {
            let mut tx = self.0.db.begin().await?;
            let deleted = event::prune_before(&mut tx, before, 500).await?;
            tx.commit().await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }

    async fn run(self) {
        let _teller = Teller::start(&self.0.db);
        while self.is_followed().await {
            self.follow().await;
            self.0.ring.clear();
        }
    }

    /// Waits until somebody follows; `false` if the server stops first.
    async fn is_followed(&self) -> bool {
        while !self.0.ring.is_watched() && !self.0.shutdown.is_cancelled() {
            tokio::select! {
                () = self.0.shutdown.cancelled() => {}
                () = self.0.followed.notified() => {}
            }
        }
        !self.0.shutdown.is_cancelled()
    }

    /// Reads what is new as long as somebody follows.
    async fn follow(&self) {
        let mut wakeups = Wakeups::start(&self.0.db);
        let mut begun = false;
        while self.0.ring.is_watched() && !self.0.shutdown.is_cancelled() {
            match self.read_new(begun).await {
                Ok(Read::Head) => begun = true,
                Ok(Read::Page) => {}
                Ok(Read::Some) => sleep(GATHER).await,
                Ok(Read::Nothing) => self.wait(&mut wakeups).await,
                Err(error) => {
                    tracing::warn!(error = crate::report::chain(&error), "events could not be read");
                    sleep(BACKOFF).await;
                }
            }
        }
    }

    /// Until there may be something to read: not what [`Sequencer::offer`] has brought already.
    async fn wait(&self, wakeups: &mut Wakeups) {
        let look = async {
            loop {
                let upto = wakeups.changed().await;
                // The committer that woke this task is about to offer what it stored.
                yield_now().await;
                if upto.is_none_or(|upto| upto > self.head()) {
                    return;
                }
            }
        };
        // Whether woken or not, the next thing is to look.
        let _ = timeout(POLL, look).await;
    }

    /// Moves what is new into the ring; at first, the ring to what is the newest event now.
    async fn read_new(&self, begun: bool) -> pds_store::Result<Read> {
        if !begun {
            self.0.ring.restart(event::head(&self.0.db).await?);
            return Ok(Read::Head);
        }
        let head = self.head();
        let page = event::after(&self.0.db, head, READ_BYTES).await?;
        for run in runs(&page.batches, head, i64::MAX, READ_BYTES) {
            self.0.ring.push(run?.each());
        }
        Ok(match page.batches.len() {
            0 => Read::Nothing,
            _ if page.is_cut => Read::Page,
            _ => Read::Some,
        })
    }
}

/// The events of batches behind number `after` up to `upto`, in runs of so many bytes and a batch: what is stored may be much shorter.
fn runs(batches: &[Batch], after: i64, upto: i64, bytes: usize) -> impl Iterator<Item = pds_store::Result<Run>> {
    let mut batches = batches.iter();
    std::iter::from_fn(move || {
        let (mut frames, mut gathered) = (Vec::new(), 0);
        while gathered < bytes
            && let Some(batch) = batches.next()
        {
            let unpacked = match batch.frames() {
                Ok(unpacked) => unpacked.into_iter().filter(|(seq, _)| *seq > after && *seq <= upto),
                Err(error) => return Some(Err(error)),
            };
            let begun = frames.len();
            frames.extend(unpacked);
            gathered += frames[begun..].iter().map(|(seq, frame): &(i64, Frame)| frame.len(*seq)).sum::<usize>();
        }
        (!frames.is_empty()).then(|| Ok(Run::new(&frames)))
    })
}

/// How much there was.
enum Read {
    /// Where to begin.
    Head,
    Nothing,
    Some,
    Page,
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sequencer({})", self.head())
    }
}
