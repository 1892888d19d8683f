//! Carrying over the sequence of events, with its numbers.

use pds_repo::event;
use pds_store::{
    event::{self as stored, Numbered},
    reference::{Sequence, SourceEvent},
};

use super::{Error, Parts, reader::Reader, source::micros};
use crate::clock;

/// Events and bytes that are stored in one transaction.
const PAGE: u32 = 1_000;
const PAGE_BYTES: usize = 8 << 20;

/// Carries over the events that followers may ask for, and calls `note` with the number of those that were. Goes on where an earlier run stopped.
pub(super) async fn carry_over(
    parts: &Parts,
    sequence: &Reader<Sequence>,
    mut note: impl FnMut(u64) + Send,
) -> Result<(), Error> {
    let mut last = stored::head(&parts.db).await?;
    if last == 0 {
        last = begin(parts, sequence).await?;
    }
    loop {
        let page = sequence.ask(move |sequence| sequence.after(last, PAGE, PAGE_BYTES)).await?;
        let Some(end) = page.last().map(|event| event.seq) else { return Ok(()) };
        let events = page.iter().filter_map(numbered).collect::<Result<Vec<_>, _>>()?;
        let mut tx = parts.db.begin().await?;
        stored::adopt(&mut tx, &events).await?;
        stored::continue_behind(&mut tx, end).await?;
        tx.commit().await?;
        note(events.len() as u64);
        last = end;
    }
}

/// The number before the first event that followers may ask for.
async fn begin(parts: &Parts, sequence: &Reader<Sequence>) -> Result<i64, Error> {
    let window = i64::try_from(parts.window.as_micros()).unwrap_or(i64::MAX);
    let edge = clock::text(parts.clock.now_us().saturating_sub(window));
    let (first, head) = sequence.ask(move |sequence| (sequence.first_since(&edge), sequence.head())).await;
    let before = match first? {
        Some(first) => first - 1,
        None => head?,
    };
    let mut tx = parts.db.begin().await?;
    stored::continue_behind(&mut tx, before).await?;
    tx.commit().await?;
    Ok(before)
}

/// The event as a message; `None` if it is of a kind that the reference does not send any more.
fn numbered(source: &SourceEvent) -> Option<Result<Numbered, Error>> {
    let kind = match source.kind.as_str() {
        "append" => "#commit",
        "sync" => "#sync",
        "identity" => "#identity",
        "account" => "#account",
        _ => return None,
    };
    let (seq, time) = (source.seq, &source.sequenced_at);
    let damaged = |reason: String| Error::Event { seq, reason };
    let frame = event::foreign(kind, &source.body, time).map_err(|error| damaged(error.to_string()));
    let at = micros("time of an event", time).map_err(|error| damaged(error.to_string()));
    Some(frame.and_then(|frame| Ok(Numbered { seq, at: at?, frame })))
}
