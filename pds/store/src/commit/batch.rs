//! Storing a batch of commits.

use pds_repo::event::Frame;

use super::{
    CommitError, NewCommit,
    events::Events,
    moved::{why_not_grown, why_not_moved},
    net,
};
use crate::{Db, dialect, event, pools::Pools};

/// A stored batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Committed {
    /// The number of the first commit's event; the others follow in the order given.
    pub first_seq: i64,
}

/// Stores a batch: all of it, or nothing. It is durable when this returns, and its events are visible to every reader.
///
/// A repository may occur more than once if each of its commits is built on the one before. `at` is now, in
/// microseconds. Cancelling the future undoes the batch, unless COMMIT was already under way.
///
/// # Errors
/// See [`CommitError`].
pub async fn commit_batch(db: &Db, batch: &[NewCommit], at: i64) -> Result<Committed, CommitError> {
    let (nets, broken) = net::fold(batch);
    if !broken.is_empty() {
        return Err(CommitError::Stale { accounts: broken });
    }
    if nets.is_empty() {
        return Ok(Committed { first_seq: event::head(db).await? + 1 });
    }
    let frames: Vec<Frame> = batch.iter().map(|commit| commit.frame.clone()).collect();
    let limit = match &db.pools {
        Pools::Sqlite { .. } => usize::MAX,
        Pools::Postgres(_) => event::ROW_BYTES,
    };
    let n = i32::try_from(frames.len()).unwrap_or(i32::MAX);
    let events = Events { n, at, rows: event::rows(&frames, limit) };
    let stored = match &db.pools {
        Pools::Sqlite { write, .. } => dialect::sqlite::commit::batch(write, &nets, &events).await,
        Pools::Postgres(pool) => dialect::postgres::commit::batch(pool, &nets, &events).await,
    };
    match &stored {
        Ok(_) => db.disk_full.written(),
        Err(CommitError::Store(error)) => db.disk_full.failed_with(error),
        Err(_) => {}
    }
    let first_seq = match stored {
        Err(CommitError::Stale { accounts }) => {
            return Err(match why_not_moved(db, accounts, 0).await? {
                CommitError::Stale { accounts } => why_not_grown(db, &nets, accounts).await?,
                error => error,
            });
        }
        stored => stored?,
    };
    db.appended.signal(first_seq + i64::from(events.n) - 1);
    Ok(Committed { first_seq })
}
