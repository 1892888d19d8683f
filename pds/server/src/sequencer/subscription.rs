//! One follower: a position in the sequence.

use bytes::Bytes;
use pds_store::event;
use tokio::sync::watch;

use super::{backfill::Backfill, place::Place, ring::Numbered, shared::Sequencer};

/// Messages that are passed on at once, and their bytes, about.
const AT_ONCE: usize = 64;
const AT_ONCE_BYTES: usize = 256 << 10;

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The cursor lies before the window: the follower starts at the window's edge and is sent `#info` about it.
    pub outdated: bool,
}

/// Why a subscription cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cursor is a number that no event has yet.
    #[error("Cursor in the future.")]
    FutureCursor,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// What comes after the position.
#[derive(Debug)]
pub enum Next {
    /// Messages in order, which follow the ones before without a gap; several may be one piece.
    Messages(Vec<Bytes>),
    /// The server is stopping.
    Stopped,
}

/// A position in the sequence, and what is needed to move it.
pub struct Subscription {
    sequencer: Sequencer,
    cursor: i64,
    /// Its existence keeps the sequencer reading new events.
    head: watch::Receiver<()>,
    /// Reads earlier events while the ring does not reach back to the position.
    backfill: Option<Backfill>,
    place: Place,
}

impl Sequencer {
    /// A subscription from `cursor`, or from now.
    pub async fn subscribe(
        &self,
        place: Place,
        cursor: Option<i64>,
        now_us: i64,
    ) -> Result<(Subscription, Start), StartError> {
        let head = self.0.ring.watch();
        let mut subscription = Subscription { sequencer: self.clone(), cursor: 0, head, backfill: None, place };
        self.0.followed.notify_one();
        // Many followers may come in one moment, and each asks the database a few questions.
        let turn = self.0.reads.acquire().await;
        // From the database: the ring may be idle, and another replica may be ahead of it, whose follower comes here with its cursor.
        let head = event::head(&self.0.db).await?;
        let Some(cursor) = cursor else {
            subscription.cursor = head;
            return Ok((subscription, Start { outdated: false }));
        };
        if cursor > head {
            return Err(StartError::FutureCursor);
        }
        let edge = now_us - i64::try_from(self.0.window.as_micros()).unwrap_or(i64::MAX);
        // The first event inside the window; if there is none, the next one.
        let first = match event::at(&self.0.db, edge).await? {
            Some(first) => first,
            None => head + 1,
        };
        let oldest = event::oldest(&self.0.db).await?.unwrap_or(first);
        drop(turn);
        let outdated = cursor + 1 < first.min(oldest.max(1)) || (cursor + 1 < first && oldest < first);
        subscription.cursor = if outdated { first - 1 } else { cursor };
        Ok((subscription, Start { outdated }))
    }
}

impl Subscription {
    /// Waits for events after the position and moves the position behind them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next(&mut self) -> pds_store::Result<Next> {
        loop {
            let messages = match self.sequencer.0.ring.after(self.cursor, AT_ONCE, AT_ONCE_BYTES) {
                Some(messages) => {
                    self.backfill = None;
                    messages
                }
                None => self.page().await?.into_iter().collect(),
            };
            if let Some((seq, _)) = messages.last() {
                self.cursor = *seq;
                return Ok(Next::Messages(messages.into_iter().map(|(_, message)| message).collect()));
            }
            tokio::select! {
                () = self.sequencer.0.shutdown.cancelled() => return Ok(Next::Stopped),
                changed = self.head.changed() => if changed.is_err() { return Ok(Next::Stopped) },
            }
        }
    }

    /// Events that the ring does not have any more, none if it has all.
    ///
    /// Cancellation: loses nothing.
    async fn page(&mut self) -> pds_store::Result<Option<Numbered>> {
        let backfill = self
            .backfill
            .get_or_insert_with(|| Backfill::start(self.sequencer.clone(), self.cursor, self.place.turns.clone()));
        let page = backfill.next().await;
        if !matches!(page, Some(Ok(_))) {
            self.backfill = None;
        }
        page.transpose()
    }
}
