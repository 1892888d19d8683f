//! One follower: a position in the order.

use bytes::Bytes;
use pds_store::event;
use tokio::{sync::watch, task::JoinHandle};

use super::{READ_BYTES, Sequencer, ring::Numbered};

/// Frames handed out at once.
const AT_ONCE: usize = 64;

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The cursor lies before the window: the follower is to be told, and starts at the window's edge.
    pub outdated: bool,
}

/// Why a subscription cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cursor is ahead of every event.
    #[error("Cursor in the future.")]
    FutureCursor,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Frames in order, without a gap behind the ones before.
    Frames(Vec<Bytes>),
    /// The server is stopping.
    Stopped,
}

/// A position and what is needed to move it.
pub struct Subscription {
    sequencer: Sequencer,
    cursor: i64,
    /// As long as there is one the sequencer does not rest.
    head: watch::Receiver<i64>,
    /// The page behind the position, read while the one before it is on its way out.
    ahead: Option<JoinHandle<pds_store::Result<Vec<Numbered>>>>,
}

impl Sequencer {
    /// A subscription from `cursor`, or from now.
    pub async fn subscribe(&self, cursor: Option<i64>, now_us: i64) -> Result<(Subscription, Start), StartError> {
        let mut subscription =
            Subscription { sequencer: self.clone(), cursor: 0, head: self.0.ring.watch(), ahead: None };
        self.0.followed.notify_one();
        // The ring may rest, and another replica may be ahead of it, whose follower comes here with its cursor.
        let head = event::head(&self.0.db).await?;
        let Some(cursor) = cursor else {
            subscription.cursor = head;
            return Ok((subscription, Start { outdated: false }));
        };
        if cursor > head {
            return Err(StartError::FutureCursor);
        }
        let edge = now_us - i64::try_from(self.0.window.as_micros()).unwrap_or(i64::MAX);
        // The last event before the window; without any, everything there ever was is inside it.
        let first = match event::at(&self.0.db, edge).await? {
            Some(first) => first,
            None => head + 1,
        };
        let oldest = event::oldest(&self.0.db).await?.unwrap_or(first);
        let outdated = cursor + 1 < first.min(oldest.max(1)) || (cursor + 1 < first && oldest < first);
        subscription.cursor = if outdated { first - 1 } else { cursor };
        Ok((subscription, Start { outdated }))
    }
}

impl Subscription {
    /// Waits for events after the position and moves it behind them.
    pub async fn next(&mut self) -> pds_store::Result<Next> {
        loop {
            let frames = match self.sequencer.0.ring.after(self.cursor, AT_ONCE) {
                Some(frames) => frames,
                None => self.page().await?,
            };
            if let Some((seq, _)) = frames.last() {
                self.cursor = *seq;
                self.read_ahead();
                return Ok(Next::Frames(frames.into_iter().map(|(_, frame)| frame).collect()));
            }
            tokio::select! {
                () = self.sequencer.0.shutdown.cancelled() => return Ok(Next::Stopped),
                changed = self.head.changed() => if changed.is_err() { return Ok(Next::Stopped) },
            }
        }
    }

    /// Events from the database, for a position that the ring has left behind. May be dropped and asked again.
    async fn page(&mut self) -> pds_store::Result<Vec<Numbered>> {
        let page = match &mut self.ahead {
            Some(page) => page.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())),
            None => page(self.sequencer.clone(), self.cursor).await,
        };
        self.ahead = None;
        page
    }

    /// Begins to read the page behind the position, unless the ring has it.
    fn read_ahead(&mut self) {
        self.ahead = (!self.sequencer.0.ring.reaches(self.cursor))
            .then(|| tokio::spawn(page(self.sequencer.clone(), self.cursor)));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(page) = &self.ahead {
            page.abort();
        }
    }
}

/// Never beyond the head, so that order is one.
async fn page(sequencer: Sequencer, cursor: i64) -> pds_store::Result<Vec<Numbered>> {
    let head = sequencer.head();
    let batches = event::after(&sequencer.0.db, cursor, READ_BYTES).await?;
    let mut frames = Vec::new();
    for batch in &batches {
        let wanted = batch.frames()?.into_iter().filter(|(seq, _)| *seq > cursor && *seq <= head);
        frames.extend(wanted.map(|(seq, frame)| (seq, frame.numbered(seq))));
    }
    Ok(frames)
}
