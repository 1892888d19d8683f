//! Why a repository was not imported.

use std::io;

use pds_repo::{Cid, car, mst};
use pds_store::commit::CommitError;
use pds_syntax::Did;

use super::memory::Shortage;
use crate::actor::LoadError;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many imports run, or one of this account.
    #[error("Too many imports are running")]
    Busy,
    /// The file is longer than the host's limit.
    #[error("The repository is too large: the file may have {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The client went away, or sent nothing for too long.
    #[error("The CAR file did not arrive completely: the connection ended, or it was too slow")]
    Broken,
    /// The file is not this account's repository.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The account's quota does not suffice.
    #[error("The account's records and blobs would have {wanted} bytes together; at most {quota} are allowed")]
    OverQuota {
        /// Size of the imported records and of the blobs that the account has, in bytes.
        wanted: u64,
        /// Maximum for all records and blobs of the account, in bytes.
        quota: u64,
    },
    /// The host took the account down or suspended it.
    #[error("the account takes no commits")]
    Closed,
    /// The temporary file failed.
    #[error("keep the file")]
    Disk(#[from] io::Error),
    /// The repository could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Why a file is not the account's repository.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// More records than the host takes.
    #[error("the repository has more than {limit} records, or more blocks than they can need")]
    TooMany {
        /// Maximum number of records.
        limit: u64,
    },
    /// Its tree and the list of its blocks take more memory than the host has for imports.
    #[error("the tree of the repository and the list of its blocks take more than {limit} bytes of memory")]
    Memory {
        /// Maximum memory in bytes.
        limit: u64,
    },
    /// Many of its keys have one block, so that the records are much larger than the file.
    #[error("the records have more than {limit} bytes together")]
    Bodies {
        /// Maximum size of a file, and of its records together, in bytes.
        limit: u64,
    },
    /// It would change or delete too many records of the account, or records with too many references to blobs.
    #[error(
        "the account has more than {limit} records that the CAR file lacks or has with another content, where each reference to a blob, before and after, counts as one more; delete them before the import"
    )]
    Replaces {
        /// Maximum number of such records and of their references.
        limit: u32,
    },
    /// Not a CAR file, or a damaged one.
    #[error(transparent)]
    File(car::Error),
    /// The root block is missing or is not a commit.
    #[error("the root {0} of the CAR file is not a commit in it")]
    Commit(Cid),
    /// The repository of another account.
    #[error("the commit is of {found}, the account is {expected}")]
    Did {
        /// The DID in the commit.
        found: Did,
        /// The account's DID.
        expected: Did,
    },
    /// Blocks of the tree are missing, or the tree is not the one that its records make.
    #[error(transparent)]
    Tree(mst::Error),
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Closed { .. } => Self::Closed,
            CommitError::Imported { .. }
            | CommitError::Stale { .. }
            | CommitError::Blobs { .. }
            | CommitError::Uncounted { .. } => Self::Busy,
            CommitError::OverQuota { accounts } => {
                accounts.first().map_or(Self::Busy, |over| Self::OverQuota { wanted: over.used, quota: over.quota })
            }
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

impl From<Shortage> for Error {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::InUse => Self::Busy,
            Shortage::TooLittle { limit } => Self::Invalid(Invalid::Memory { limit }),
        }
    }
}

impl From<mst::Error> for Error {
    fn from(error: mst::Error) -> Self {
        Self::Invalid(Invalid::Tree(error))
    }
}
