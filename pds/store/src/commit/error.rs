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
    /// The accounts of these repositories have quotas, and their records are not counted: [`counted`](crate::usage::counted) counts them. The rest
    /// of the batch can be sent again as it is.
    #[error("the records of {} of the batch's repositories are not counted", accounts.len())]
    Uncounted {
        /// Their accounts.
        accounts: Vec<AccountId>,
    },
    /// With these commits, the accounts would have more than their quotas. The rest of the batch can be sent again as it is; of an account with
    /// several commits in the batch, each may fit on its own.
    #[error("{} of the batch's accounts would have more than their quotas", accounts.len())]
    OverQuota {
        /// Each account, at least one.
        accounts: Vec<OverQuota>,
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

/// An account that cannot grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OverQuota {
    /// The account of the commit.
    pub account_id: AccountId,
    /// Bytes of its records and blobs; after an import, if that is what is refused.
    pub used: u64,
    /// How many it may have.
    pub quota: u64,
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
