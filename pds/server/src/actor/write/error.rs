//! Why a write was not made.

use pds_repo::{Cid, Error as RepoError};
use pds_store::{account::Status, commit::BlobRefusal};
use pds_syntax::Did;

use crate::actor::{LoadError, SubmitError};

/// Maximum number of different blob references in one commit. Each is looked up in the database.
pub(in crate::actor) const MAX_BLOBS: usize = 1_000;

/// Maximum number of references to blobs that a commit adds and removes, unless it writes one record only. SQLite's one writer needs some
/// microseconds for each, and everybody's writes wait for it.
pub const MAX_REFERENCES: usize = 2_000;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `swapCommit` is not the head.
    #[error("Commit was at {current}")]
    SwapCommit {
        /// The commit that is the head.
        current: Cid,
    },
    /// `swapRecord` is not the record at the path.
    #[error("Record was at {}", current.map_or_else(|| "null".to_owned(), |cid| cid.to_string()))]
    SwapRecord {
        /// The record at the path, if there is one.
        current: Option<Cid>,
    },
    /// The changes cannot be made to the repository: for example, a record to create exists.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The account's quota does not suffice.
    #[error("The account's records and blobs would have more than {quota} bytes together; they have {used}")]
    OverQuota {
        /// Size of what it has, in bytes.
        used: u64,
        /// Maximum for all records and blobs of the account, in bytes.
        quota: u64,
    },
    /// A blob is missing or taken down.
    #[error("Could not find blob: {cid}")]
    Blob {
        /// The blob.
        cid: Cid,
        /// The cause.
        reason: BlobRefusal,
    },
    /// A commit refers to too many blobs.
    #[error("Too many blobs. Max: {MAX_BLOBS}, Got: {count}")]
    TooManyBlobs {
        /// Number of different references.
        count: usize,
    },
    /// A commit of several records adds and removes too many references to blobs.
    #[error(
        "Too many references to blobs: the writes add and remove {count}. Max in one commit of several records: {MAX_REFERENCES}"
    )]
    TooManyReferences {
        /// Number of references of the records that are written, and of those that are replaced or deleted.
        count: usize,
    },
    /// The record states another media type of a blob than was stored with it.
    #[error("Referenced Mimetype does not match stored blob. Expected: {stored}, Got: {given}")]
    BlobType {
        /// The stored media type.
        stored: String,
        /// The one in the record.
        given: String,
    },
    /// The record states another size of a blob than it has.
    #[error("Referenced Size does not match stored blob. Expected: {stored}, Got: {given}")]
    BlobSize {
        /// Size of the blob in bytes.
        stored: u64,
        /// The one in the record.
        given: i64,
    },
    /// The account was deactivated, suspended or taken down after the request was authenticated.
    #[error("the account of {did} takes no writes")]
    Closed {
        /// The account.
        did: Did,
        /// Its state now.
        status: Status,
    },
    /// The repository is being imported.
    #[error("the repository is being imported")]
    Imported,
    /// Too many writes wait. Nothing was written; the client may try again.
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
