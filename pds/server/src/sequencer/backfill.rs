//! Events that the ring does not have any more, for one follower: page after page from the database.

use std::{collections::VecDeque, time::Duration};

use pds_store::event::{Batch, Page};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Sequencer,
    place::{Turn, Turns},
    ring::Numbered,
    run::runs,
    window::{Reads, Window},
};
use crate::task::output_of;

/// Number of events behind the head from which a follower may be a fast one.
const FAR: i64 = 1_000;
/// A follower that takes longer for a page is not fast.
const SLOW: Duration = Duration::from_secs(1);
/// How long a follower keeps its turn while it takes nothing and others wait for theirs.
const STALL: Duration = Duration::from_millis(500);

/// Messages in one piece, and the number of the last.
type Piece = pds_store::Result<Numbered>;

/// Pieces in order and without a gap, up to the sequencer's head. While one piece is being sent the next is unpacked and the pages behind it
/// are read.
pub(super) struct Backfill {
    pieces: mpsc::Receiver<Piece>,
    _reader: AbortOnDropHandle<()>,
}

impl Backfill {
    /// Begins after number `cursor`.
    pub(super) fn start(sequencer: Sequencer, cursor: i64, turns: Turns) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        let reader = tokio::spawn(async move {
            if let Err(error) = read(&sequencer, cursor, &turns, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { pieces, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next piece; `None` after the last.
    ///
    /// Cancellation: loses nothing.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

async fn read(
    sequencer: &Sequencer,
    cursor: i64,
    turns: &Turns,
    pieces: &mpsc::Sender<Piece>,
) -> pds_store::Result<()> {
    let mut pages = Pages::begin(sequencer, cursor, turns).await;
    let mut last_read = Instant::now();
    // A page is unpacked only when the follower has taken the pieces before.
    'pages: while let Some(mut room) = pages.room(pieces).await {
        if last_read.elapsed() > SLOW {
            pages.reads.slow_down();
        }
        pages.let_others_read().await;
        let (page, upto) = match pages.next().await? {
            Next::Page(page, upto) => (page, upto),
            Next::Gap => continue,
            Next::End => break,
        };
        last_read = Instant::now();
        for run in runs(&page.batches, pages.cursor, upto, pages.reads.bytes()) {
            let Some(run) = run?.whole() else { continue };
            let last = run.0;
            room.send(Ok(run));
            match pages.room_soon(pieces).await {
                Room::Free(more) => room = more,
                // What is left of the page is read again.
                Room::Stalled => {
                    pages.cursor = last;
                    pages.rest();
                    continue 'pages;
                }
                Room::Gone => return Ok(()),
            }
        }
        pages.cursor = upto;
    }
    Ok(())
}

/// Whether the follower takes more.
enum Room<'a> {
    Free(mpsc::Permit<'a, Piece>),
    /// It does not, and others wait for its turn.
    Stalled,
    Gone,
}

/// The pages of one follower, in order.
struct Pages<'a> {
    sequencer: &'a Sequencer,
    turns: &'a Turns,
    turn: Option<Turn>,
    reads: Reads<'a>,
    /// Windows that are being read, each beginning where the one before ends.
    windows: VecDeque<Window>,
    /// The number of the last event that was passed on.
    cursor: i64,
}

/// What comes after the cursor.
enum Next {
    /// A page, and the number up to which its events are to be passed on.
    Page(Page, i64),
    /// Numbers without events, as a restored database has them. What comes behind is being read.
    Gap,
    /// Nothing: the follower has reached the head.
    End,
}

impl<'a> Pages<'a> {
    async fn begin(sequencer: &'a Sequencer, cursor: i64, turns: &'a Turns) -> Self {
        let reads = Reads::new(sequencer, sequencer.head().saturating_sub(cursor) > FAR);
        let turn = Some(turns.next().await);
        let windows = VecDeque::from([reads.window(cursor, None)]);
        Self { sequencer, turns, turn, reads, windows, cursor }
    }

    /// Waits until the follower takes more, without a turn if others wait for one meanwhile. `None` if the follower is gone.
    async fn room<'p>(&mut self, pieces: &'p mpsc::Sender<Piece>) -> Option<mpsc::Permit<'p, Piece>> {
        if self.turn.is_some() {
            match self.room_soon(pieces).await {
                Room::Free(room) => return Some(room),
                Room::Stalled => self.rest(),
                Room::Gone => return None,
            }
        }
        pieces.reserve().await.ok()
    }

    /// Waits until the follower takes more, or others want the turn that it does not use.
    async fn room_soon<'p>(&self, pieces: &'p mpsc::Sender<Piece>) -> Room<'p> {
        loop {
            match timeout(STALL, pieces.reserve()).await {
                Ok(Ok(room)) => return Room::Free(room),
                Ok(Err(_)) => return Room::Gone,
                Err(_) if self.turns.are_taken() => return Room::Stalled,
                Err(_) => {}
            }
        }
    }

    /// Gives the turn back. What was read ahead is dropped.
    fn rest(&mut self) {
        self.windows.clear();
        self.turn = None;
    }

    /// Gives the turn to a follower that waits for one, and takes the next. What was read ahead is dropped and read again.
    async fn let_others_read(&mut self) {
        if self.turn.is_some() && self.turns.are_taken() {
            self.rest();
        }
        if self.turn.is_none() {
            self.turn = Some(self.turns.next().await);
            self.windows.push_back(self.reads.window(self.cursor, None));
        }
    }

    async fn next(&mut self) -> pds_store::Result<Next> {
        let Some(Window { last, page }) = self.windows.pop_front() else { return Ok(Next::End) };
        let page = output_of(page).await?;
        let head = self.sequencer.head();
        // Never beyond the head: what comes after it is the ring's.
        let upto = page.batches.last().map_or(self.cursor, Batch::last_seq).min(head);
        if upto <= self.cursor {
            if last.is_none_or(|last| last >= head) {
                return Ok(Next::End);
            }
            self.windows = VecDeque::from([self.reads.window(self.cursor, None)]);
            return Ok(Next::Gap);
        }
        self.reads.learn(&page, upto - self.cursor);
        if let Some(last) = last.filter(|last| page.is_cut && upto < *last) {
            self.windows.push_front(self.reads.window(upto, Some(last)));
        }
        self.read_ahead(last.map_or(upto, |last| last.max(upto)), head);
        Ok(Next::Page(page, upto))
    }

    /// Begins to read further windows, behind those that are being read or else after number `after`.
    fn read_ahead(&mut self, after: i64, head: i64) {
        let behind = self.windows.back().and_then(|window| window.last);
        let mut asked = behind.map_or(after, |last| last.max(after));
        while self.windows.len() < self.reads.windows() && asked < head {
            let window = self.reads.usual_window(asked, head);
            asked = window.last.unwrap_or(head);
            self.windows.push_back(window);
        }
    }
}
