//! Why commits were not stored.

use pds_repo::Cid;

use crate::{AccountId, Error};

/// Why nothing of a batch was stored.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another replica wrote to these repositories: reload them and build the commits anew. The rest of the batch can be
    /// sent again as it is.
    #[error("{} of the batch's repositories have moved on", accounts.len())]
    Stale {
        /// The repositories whose heads are not the ones that their commits expect.
        accounts: Vec<AccountId>,
    },
    /// The accounts of these repositories are deactivated, suspended or taken down. The rest of the batch can be sent again as it is.
    #[error("{} of the batch's repositories take no commits", accounts.len())]
    Closed {
        /// Their accounts.
        accounts: Vec<AccountId>,
    },
    /// These repositories are being imported, and take no commits until that is over. The rest of the batch can be sent again as it is.
    #[error("{} of the batch's repositories are being imported", accounts.len())]
    Imported {
        /// Their accounts.
        accounts: Vec<AccountId>,
    },
    /// These commits would be refused again. The rest of the batch can be sent again as it is.
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
    /// The account of the commit.
    pub account_id: AccountId,
    /// The blob.
    pub cid: Cid,
    /// The cause.
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
