//! Wanted changes, what they mean for one state of a repository, and why they may not be made.

use pds_repo::{Cid, Error as RepoError, Write};
use pds_store::{
    account::{Account, Status},
    commit::BlobRefusal,
    record,
};
use pds_syntax::{Did, Nsid, RepoPath};

use crate::{
    actor::{
        Actor, LoadError, SubmitError,
        prepare::{Prepared, subject_of_block},
    },
    app::App,
};

/// One wanted change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new record; others about the same subject go with `replace_subject`.
    Create {
        /// What.
        record: Prepared,
        /// Delete the account's other records of the collection about the same subject.
        replace_subject: bool,
    },
    /// Changes a record that must exist.
    Update(Prepared),
    /// Creates or changes, as needed. The same content changes nothing.
    Put {
        /// What.
        record: Prepared,
        /// The record must now be this one (`Some(None)`: must not exist).
        swap_record: Option<Option<Cid>>,
    },
    /// Removes a record. A missing one is no error with `lenient`.
    Delete {
        /// Which.
        path: RepoPath,
        /// The record must now be this one.
        swap_record: Option<Cid>,
        /// Nothing to do is fine.
        lenient: bool,
    },
}

impl Change {
    pub(super) fn record(&self) -> Option<&Prepared> {
        match self {
            Self::Create { record, .. } | Self::Update(record) | Self::Put { record, .. } => Some(record),
            Self::Delete { .. } => None,
        }
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `swapCommit` is not the head.
    #[error("Commit was at {current}")]
    SwapCommit {
        /// The head.
        current: Cid,
    },
    /// `swapRecord` is not the record.
    #[error("Record was at {}", current.map_or_else(|| "null".to_owned(), |cid| cid.to_string()))]
    SwapRecord {
        /// What is there.
        current: Option<Cid>,
    },
    /// The writes do not fit the repository.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A blob is missing or taken down.
    #[error("Could not find blob: {cid}")]
    Blob {
        /// Which.
        cid: Cid,
        /// Why.
        reason: BlobRefusal,
    },
    /// The record says another type of a blob than its bytes have.
    #[error("Referenced Mimetype does not match stored blob. Expected: {stored}, Got: {given}")]
    BlobType {
        /// Of the blob.
        stored: String,
        /// In the record.
        given: String,
    },
    /// The record says another size of a blob than it has.
    #[error("Referenced Size does not match stored blob. Expected: {stored}, Got: {given}")]
    BlobSize {
        /// Of the blob.
        stored: u64,
        /// In the record.
        given: i64,
    },
    /// The account was deactivated or taken down meanwhile.
    #[error("the account of {did} takes no writes")]
    Closed {
        /// Whose.
        did: Did,
        /// The account's state.
        status: Status,
    },
    /// The repository is moving in.
    #[error("the repository is being imported")]
    Imported,
    /// Too much at once; nothing was tried.
    #[error("the server is overloaded")]
    Overloaded,
    /// The repository could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The commit could not be stored.
    #[error("store the commit")]
    Submit(#[source] SubmitError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// What changes mean for one state of the repository.
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    /// The records to store with them.
    pub(super) puts: Vec<Prepared>,
    /// How many of the writes delete records that others take the place of.
    pub(super) replaced: usize,
}

/// Deletes at most so many records about the subjects of new ones, the oldest first.
pub(super) async fn plan(
    app: &App,
    account: &Account,
    actor: &Actor,
    changes: &[Change],
    most_replaced: usize,
) -> Result<Plan, Error> {
    let mut replaced = 0;
    let current = |path: &RepoPath| actor.repo.tree.get(path.as_str()).map_err(RepoError::from);
    let (mut writes, mut puts) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
    for change in changes {
        match change {
            Change::Create { record, replace_subject } => {
                if *replace_subject {
                    for path in same_subject(app, account, record).await? {
                        // One that the tree does not know was written by another replica just now: this commit will be refused.
                        if replaced < most_replaced && current(&path)?.is_some() {
                            writes.push(Write::Delete { path });
                            replaced += 1;
                        }
                    }
                }
                writes.push(Write::Create {
                    path: record.path.clone(),
                    cid: record.record.cid,
                    bytes: record.record.bytes.clone(),
                });
                puts.push(record.clone());
            }
            Change::Update(record) => {
                writes.push(Write::Update {
                    path: record.path.clone(),
                    cid: record.record.cid,
                    bytes: record.record.bytes.clone(),
                });
                puts.push(record.clone());
            }
            Change::Put { record, swap_record } => {
                let now = current(&record.path)?;
                if let Some(wanted) = swap_record
                    && *wanted != now
                {
                    return Err(Error::SwapRecord { current: now });
                }
                let (path, cid, bytes) = (record.path.clone(), record.record.cid, record.record.bytes.clone());
                match now {
                    Some(now) if now == cid => continue,
                    Some(_) => writes.push(Write::Update { path, cid, bytes }),
                    None => writes.push(Write::Create { path, cid, bytes }),
                }
                puts.push(record.clone());
            }
            Change::Delete { path, swap_record, lenient } => {
                let now = current(path)?;
                if now.is_none() && *lenient {
                    continue;
                }
                if swap_record.is_some() && *swap_record != now {
                    return Err(Error::SwapRecord { current: now });
                }
                writes.push(Write::Delete { path: path.clone() });
            }
        }
    }
    Ok(Plan { writes, puts, replaced })
}

/// The account's other records of the collection about the same subject, oldest first. The database finds them by 64 bits of a hash, so
/// the subjects themselves are compared: nothing goes that is about something else.
async fn same_subject(app: &App, account: &Account, record: &Prepared) -> Result<Vec<RepoPath>, Error> {
    let (Some(hash), Ok(collection)) = (record.subject_hash, record.path.collection().parse::<Nsid>()) else {
        return Ok(Vec::new());
    };
    let subject = subject_of_block(collection.as_str(), &record.record.bytes);
    let found = record::same_subject(&app.db, account.id, &collection, hash).await?;
    let same = |other: &record::Record| {
        other.path != record.path && subject_of_block(collection.as_str(), &other.body) == subject
    };
    Ok(found.into_iter().filter(same).map(|other| other.path).collect())
}
