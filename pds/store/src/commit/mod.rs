//! Commits: the one way in which repositories change.
//!
//! A batch of prepared commits is one transaction. Each repository's head is compared with the one
//! that its commit was built on and swapped; if any has moved, the whole batch is undone and the movers are named. The same row says
//! whether the repository is closed: nothing is committed after a takedown or a deactivation.
//! Holding a lock or a lease on an account is never needed for correctness, only for speed.

mod import;
mod net;

use bytes::Bytes;
use pds_repo::{Cid, event::Frame};
use pds_syntax::{RepoPath, Tid};

use crate::{AccountId, Db, Error, db::Pools, dialect, event, source::on};

pub use import::{Import, Staging, expired, undo_expired};
pub(crate) use net::{Change, Net, NetWrite};

/// A signed commit, ready to be stored.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Whose repository.
    pub account_id: AccountId,
    /// The revision that it was built on.
    pub expect_rev: Tid,
    /// The new revision.
    pub rev: Tid,
    /// CID of the commit block.
    pub commit: Cid,
    /// Root of the tree.
    pub data: Cid,
    /// The commit block.
    pub commit_bytes: Bytes,
    /// What changes, each path at most once.
    pub writes: Vec<Write>,
    /// The event that tells of it.
    pub frame: Frame,
}

/// A change of one record, already checked against the tree that the commit was built on.
#[derive(Clone, Debug)]
pub enum Write {
    /// There was no record at the path.
    Create(Put),
    /// There was one.
    Update(Put),
    /// There was one and is none now.
    Delete {
        /// Collection and key.
        path: RepoPath,
    },
}

/// A record to store.
#[derive(Clone, Debug)]
pub struct Put {
    /// Collection and key.
    pub path: RepoPath,
    /// Of the body.
    pub cid: Cid,
    /// DAG-CBOR.
    pub body: Bytes,
    /// [`crate::record::subject_hash`], for collections in which a record replaces others about the same subject.
    pub subject_hash: Option<i64>,
    /// The blobs that the record refers to.
    pub blobs: Vec<Cid>,
}

/// A stored batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Committed {
    /// The number of the first commit's event; the others follow in the order given.
    pub first_seq: i64,
}

/// Why nothing of a batch was stored.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else wrote to these repositories: reload them and build the commits anew. The rest of the batch can be
    /// sent again as it is.
    #[error("{} of the batch's repositories have moved on", accounts.len())]
    Stale {
        /// The repositories that do not stand where their commit expects.
        accounts: Vec<AccountId>,
    },
    /// The accounts of these repositories are deactivated or taken down. The rest of the batch can be sent again as it is.
    #[error("{} of the batch's repositories take no commits", accounts.len())]
    Closed {
        /// Whose they are.
        accounts: Vec<AccountId>,
    },
    /// These repositories are moving in, and take no commits until that is over. The rest of the batch can be sent again as it is.
    #[error("{} of the batch's repositories are being imported", accounts.len())]
    Imported {
        /// Whose they are.
        accounts: Vec<AccountId>,
    },
    /// These commits cannot be stored by any repetition. The rest of the batch can be sent again as it is.
    #[error("{} blobs that the batch refers to cannot be used", refused.len())]
    Blobs {
        /// Each reason found, at least one.
        refused: Vec<RefusedBlob>,
    },
    /// The database failed. If it did so during COMMIT the outcome is unknown: reload the repositories before going on.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A blob that a record must not refer to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefusedBlob {
    /// Whose commit.
    pub account_id: AccountId,
    /// Which blob.
    pub cid: Cid,
    /// Why not.
    pub reason: BlobRefusal,
}

/// Why a record must not refer to a blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BlobRefusal {
    /// The account has not uploaded it, or so long ago that it was swept.
    NotFound,
    /// The host took it down.
    TakenDown,
}

/// The events of a batch, still without numbers.
pub(crate) struct Events {
    pub(crate) n: i32,
    pub(crate) at: i64,
    pub(crate) rows: Vec<event::Row>,
}

/// Why heads could not be moved: their repositories are closed more than so, are being imported, or stand elsewhere.
async fn why_not_moved(db: &Db, accounts: Vec<AccountId>, most_closed: i16) -> Result<CommitError, Error> {
    const STATE: &str = "select closed, import_token is not null from repo where account_id = $1";
    let (mut closed, mut imported) = (Vec::new(), Vec::new());
    for id in &accounts {
        let row: Option<(i16, bool)> = on!(db, conn => sqlx::query_as(STATE).bind(id.0).fetch_optional(conn))
            .map_err(Error::during("read head of account", id))?;
        match row {
            Some((state, _)) if state > most_closed => closed.push(*id),
            Some((_, true)) => imported.push(*id),
            _ => {}
        }
    }
    Ok(match (closed.is_empty(), imported.is_empty()) {
        (false, _) => CommitError::Closed { accounts: closed },
        (_, false) => CommitError::Imported { accounts: imported },
        _ => CommitError::Stale { accounts },
    })
}

/// Stores a batch: all of it, or nothing. It is durable when this returns, and its events are visible to every reader.
///
/// A repository may occur more than once if each of its commits is built on the one before. `at` is now, in
/// microseconds. Cancelling the future undoes the batch, unless COMMIT was already under way.
///
/// # Errors
/// See [`CommitError`].
pub async fn commit_batch(db: &Db, batch: &[Prepared], at: i64) -> Result<Committed, CommitError> {
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
        Ok(_) => db.full.written(),
        Err(CommitError::Store(error)) => db.full.failed_with(error),
        Err(_) => {}
    }
    let first_seq = match stored {
        Err(CommitError::Stale { accounts }) => return Err(why_not_moved(db, accounts, 0).await?),
        stored => stored?,
    };
    db.appended.signal(first_seq + i64::from(events.n) - 1);
    Ok(Committed { first_seq })
}
