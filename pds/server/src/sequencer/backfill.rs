//! Events that the ring has left behind: page after page from the database.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use pds_store::event::{self, Batch};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{READ_BYTES, Sequencer, ring::Numbered, runs};

/// Followers that are so many events behind read more at once, and from more connections, as long as they are so few and fast: the database
/// spends a third less on each event, and is waited for less. Such a follower takes about seven megabytes, others two.
const FAR: i64 = 1_000;
/// What one that is not fast takes.
pub(super) const BYTES: usize = 2 << 20;
pub(super) const WIDE: usize = 4;
const WIDE_BYTES: usize = 1 << 20;
pub(super) const WIDE_WINDOWS: usize = 2;
/// One that takes longer for a page is not fast.
const SLOW: Duration = Duration::from_secs(1);

/// Messages in one piece, and the number of the last.
type Piece = pds_store::Result<Numbered>;

/// Pieces in order and without a gap, up to the sequencer's head. While one is on its way out the next is unpacked and the pages behind it
/// are read.
pub(super) struct Backfill {
    pieces: mpsc::Receiver<Piece>,
    _reader: AbortOnDropHandle<()>,
}

impl Backfill {
    /// Begins behind `cursor`; `own` are the turns of its address.
    pub(super) fn start(sequencer: Sequencer, cursor: i64, own: Arc<Semaphore>) -> Self {
        let (sender, pieces) = mpsc::channel(1);
        let reader = tokio::spawn(async move {
            if let Err(error) = read(&sequencer, cursor, &own, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { pieces, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next piece; `None` behind the last. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }
}

async fn read(
    sequencer: &Sequencer,
    mut cursor: i64,
    own: &Arc<Semaphore>,
    pieces: &mpsc::Sender<Piece>,
) -> pds_store::Result<()> {
    let is_far = sequencer.head().saturating_sub(cursor) > FAR;
    let mut wide = sequencer.0.wide.try_acquire().ok().filter(|_| is_far);
    let (mut bytes, mut count) = if wide.is_some() { (WIDE_BYTES, WIDE_WINDOWS) } else { (READ_BYTES, 1) };
    let mut width = Width(i64::MAX);
    let mut turn = next_turn(sequencer, own).await;
    let mut windows = VecDeque::from([Window::fetch(sequencer, cursor, None, bytes)]);
    let mut taken = Instant::now();
    // What was read is unpacked only when there is room for it.
    while let Ok(mut room) = pieces.reserve().await {
        if taken.elapsed() > SLOW && wide.take().is_some() {
            (bytes, count, width) = (READ_BYTES, 1, Width(width.0 / 4));
        }
        // Others wait for the memory: theirs is the next turn, and what was read ahead is read again.
        if sequencer.0.turns.available_permits() == 0 || own.available_permits() == 0 {
            windows.clear();
            drop(turn);
            turn = next_turn(sequencer, own).await;
            windows.push_back(Window::fetch(sequencer, cursor, None, bytes));
        }
        let fetch = |after, last| Window::fetch(sequencer, after, last, bytes);
        let Some(Window { last, page }) = windows.pop_front() else { break };
        let page = page.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let head = sequencer.head();
        // Never beyond the head, so that order is one.
        let upto = page.batches.last().map_or(cursor, Batch::last_seq).min(head);
        if upto <= cursor {
            if last.is_none_or(|last| last >= head) {
                break;
            }
            // A gap, as a restored database has: to whatever comes behind it.
            windows = VecDeque::from([fetch(cursor, None)]);
            continue;
        }
        width.learn(&page, upto - cursor, bytes);
        if let Some(last) = last.filter(|last| page.is_cut && upto < *last) {
            windows.push_front(fetch(upto, Some(last)));
        }
        let mut asked = windows.back().map_or(last, |window| window.last).map_or(upto, |last| last.max(upto));
        while windows.len() < count && asked < head {
            let last = asked.saturating_add(width.0).min(head);
            windows.push_back(fetch(asked, Some(last)));
            asked = last;
        }
        taken = Instant::now();
        for run in runs(&page.batches, cursor, upto, bytes) {
            let Some(run) = run?.whole() else { continue };
            room.send(Ok(run));
            let Ok(more) = pieces.reserve().await else { return Ok(()) };
            room = more;
        }
        cursor = upto;
    }
    Ok(())
}

/// A turn among those of the address, then among all.
async fn next_turn(sequencer: &Sequencer, own: &Arc<Semaphore>) -> impl Sized + use<> {
    let own = own.clone().acquire_owned().await;
    (own, sequencer.0.turns.clone().acquire_owned().await)
}

/// A part of the sequence on its way from the database.
struct Window {
    /// Its last number, which is not beyond the head: all its events can be read. Without, it has as many as a page has room for.
    last: Option<i64>,
    page: AbortOnDropHandle<pds_store::Result<event::Page>>,
}

impl Window {
    fn fetch(sequencer: &Sequencer, after: i64, last: Option<i64>, bytes: usize) -> Self {
        let (db, reads) = (sequencer.0.db.clone(), sequencer.0.reads.clone());
        let page = async move {
            let _turn = reads.acquire().await;
            event::between(&db, after, last.unwrap_or(i64::MAX), bytes).await
        };
        Self { last, page: AbortOnDropHandle::new(tokio::spawn(page)) }
    }
}

/// How many numbers a window has, so that mostly a page has room for it.
struct Width(i64);

impl Width {
    /// What a page of so many numbers, with room for `bytes`, tells.
    fn learn(&mut self, page: &event::Page, numbers: i64, bytes: usize) {
        // A page is also cut when it has as many rows as there would be room for if each were as long as it may be.
        let used: usize = page.batches.iter().map(|batch| batch.stored_bytes().max(event::ROW_BYTES)).sum();
        if page.is_cut {
            self.0 = (numbers - numbers / 4).max(1);
        } else if used < bytes / 2 {
            self.0 = self.0.saturating_mul(2);
        }
    }
}
