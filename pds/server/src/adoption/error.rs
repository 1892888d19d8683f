//! Why an import does not begin, or does not go on.

use pds_store::{commit::CommitError, reference};

use crate::actor::import;

/// Why an import does not begin, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that all accounts depend on cannot be read.
    #[error(transparent)]
    Reference(#[from] reference::Error),
    /// The reference runs.
    #[error("the reference is running on this directory: stop it first")]
    InUse,
    /// The reference wrote to the directory.
    #[error(
        "the reference has written to this directory during the import: stop it, and begin again with an empty database"
    )]
    Changed,
    /// The database belongs to others.
    #[error(
        "the database is not empty: a data directory can only be taken over into a database without accounts and events"
    )]
    NotEmpty,
    /// The database has the data of another directory.
    #[error(
        "the database contains the unfinished import of another data directory: use that directory, or an empty database"
    )]
    Other,
    /// An event is damaged.
    #[error("event {seq} is damaged: {reason}")]
    Event {
        /// Its number.
        seq: i64,
        /// Why it cannot be read.
        reason: String,
    },
    /// Records could not be staged.
    #[error(transparent)]
    Stage(#[from] import::Error),
    /// The head of a repository could not be moved.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A key could not be sealed.
    #[error("seal a signing key")]
    Seal(#[from] pds_crypto::Error),
    /// The blob store failed.
    #[error(transparent)]
    Blobs(#[from] pds_blobstore::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}
