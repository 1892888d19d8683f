//! Events that the ring has left behind: page after page from the database.

use pds_store::event::{self, Batch};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{READ_BYTES, Sequencer, WIDE_BYTES, ring::Numbered, run};

/// The messages of a page, and the number of the last.
type Page = pds_store::Result<Numbered>;

/// Pages in order and without a gap, up to the sequencer's head. While one is on its way out the next is unpacked and the one behind it
/// read.
pub(super) struct Backfill {
    pages: mpsc::Receiver<Page>,
    _reader: AbortOnDropHandle<()>,
}

impl Backfill {
    /// Begins behind `cursor`.
    pub(super) fn start(sequencer: Sequencer, cursor: i64) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let reader = tokio::spawn(async move {
            if let Err(error) = read(&sequencer, cursor, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { pages, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next page; `None` behind the last. May be dropped and asked again.
    pub(super) async fn next(&mut self) -> Option<Page> {
        self.pages.recv().await
    }
}

async fn read(sequencer: &Sequencer, mut cursor: i64, pages: &mpsc::Sender<Page>) -> pds_store::Result<()> {
    let wide = sequencer.0.wide.try_acquire();
    let bytes = if wide.is_ok() { WIDE_BYTES } else { READ_BYTES };
    let fetch = |cursor| {
        let db = sequencer.0.db.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { event::after(&db, cursor, bytes).await }))
    };
    let mut fetched = fetch(cursor);
    // What is fetched is unpacked only when there is room for it.
    while let Ok(room) = pages.reserve().await {
        let page = fetched.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        // Never beyond the head, so that order is one.
        let upto = page.batches.last().map_or(cursor, Batch::last_seq).min(sequencer.head());
        if upto <= cursor {
            break;
        }
        fetched = fetch(upto);
        let Some(page) = run(&page.batches, cursor, upto)?.whole() else { break };
        room.send(Ok(page));
        cursor = upto;
    }
    Ok(())
}
