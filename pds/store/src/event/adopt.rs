//! Events of another server, with the numbers that they have there.

use pds_repo::event::Frame;

use super::{ROW_BYTES, rows};
use crate::{Error, Result, Tx, source::execute};

/// An event of another server.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// The number that it keeps.
    pub seq: i64,
    /// When it was written; microseconds.
    pub at: i64,
    /// The message.
    pub frame: Frame,
}

/// Adds events behind all that there are. Their numbers ascend and may have gaps, as those of a server that deletes events.
///
/// # Errors
/// When the database cannot be written, or has one of the numbers.
pub async fn adopt(tx: &mut Tx, events: &[Numbered]) -> Result<()> {
    const INSERT: &str = "insert into event (first_seq, n, at, payload) values ($1, $2, $3, $4)";
    // A row contains consecutive numbers.
    for run in events.chunk_by(|one, next| one.seq + 1 == next.seq) {
        let frames: Vec<_> = run.iter().map(|event| event.frame.clone()).collect();
        for row in rows(&frames, ROW_BYTES) {
            let begin = usize::try_from(row.before).unwrap_or(usize::MAX).min(run.len());
            let end = begin.saturating_add(usize::try_from(row.n).unwrap_or_default()).min(run.len());
            let Some(first) = run.get(begin) else { continue };
            let at = run[begin..end].iter().map(|event| event.at).max().unwrap_or(first.at);
            execute!(&mut *tx, INSERT, first.seq, row.n, at, &*row.payload)
                .map_err(Error::during("adopt event", first.seq))?;
        }
    }
    match events.last() {
        Some(last) => continue_behind(tx, last.seq).await,
        None => Ok(()),
    }
}

/// Lets the next event have a number above `seq`. Does nothing if it has that already.
///
/// # Errors
/// When the database cannot be written.
pub async fn continue_behind(tx: &mut Tx, seq: i64) -> Result<()> {
    const SQL: &str = "update seq_state set next = $1 where id = 1 and next < $1";
    execute!(tx, SQL, seq.saturating_add(1)).map_err(Error::during("continue sequence behind", seq))?;
    Ok(())
}
