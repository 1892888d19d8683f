//! The task that reads new events into the ring while there are followers.

use std::time::Duration;

use pds_store::event::{self, Teller, Wakeups};
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

use super::{
    Sequencer,
    run::{READ_BYTES, runs},
};
use crate::report::chain;

/// Time between two reads when no wake-up comes.
const POLL: Duration = Duration::from_millis(100);
/// Pause between two reads, unless there is another whole page. Other replicas announce every batch, and reading a few together costs the
/// database no more than reading one. After a longer pause events are read at once.
const GATHER: Duration = Duration::from_millis(3);
/// Pause after a failed read.
const BACKOFF: Duration = Duration::from_millis(500);

/// What one read found.
enum Read {
    /// The number of the newest event, at which the ring begins.
    Head,
    Nothing,
    /// All events that there were.
    Some,
    /// As many events as one read may have.
    Page,
}

impl Sequencer {
    pub(super) async fn run(self) {
        let _teller = Teller::start(&self.0.db);
        while self.is_followed().await {
            self.follow().await;
            self.0.ring.clear();
        }
    }

    /// Waits until there is a follower; `false` if the server stops first.
    async fn is_followed(&self) -> bool {
        while !self.0.ring.is_watched() && !self.0.shutdown.is_cancelled() {
            tokio::select! {
                () = self.0.shutdown.cancelled() => {}
                () = self.0.followed.notified() => {}
            }
        }
        !self.0.shutdown.is_cancelled()
    }

    /// Reads new events as long as there are followers.
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
                    tracing::warn!(error = chain(&error), "the sequencer could not read new events and tries again");
                    sleep(BACKOFF).await;
                }
            }
        }
    }

    /// Waits until there may be events to read. Those that [`Sequencer::offer`] has put into the ring are not.
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
        // Woken or not, the next step is to read.
        let _ = timeout(POLL, look).await;
    }

    /// Moves new events into the ring. The first read only moves the ring to the newest event.
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
