//! The answers to failed writes.

use pds_repo::Error as RepoError;

use crate::{
    actor::{LoadError, SubmitError, prepare, rules, write},
    auth::may_write,
    xrpc::XrpcError,
};

impl From<LoadError> for XrpcError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => error.into(),
            LoadError::Missing(did) => Self::repo_not_found(did),
            LoadError::Busy => Self::unavailable("Too many repositories are being loaded, try again", 2),
            error => Self::internal("loading a repository", &error),
        }
    }
}

impl From<prepare::Error> for XrpcError {
    fn from(error: prepare::Error) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<rules::Refusal> for XrpcError {
    fn from(refusal: rules::Refusal) -> Self {
        Self::invalid(refusal.to_string())
    }
}

impl From<write::Error> for XrpcError {
    fn from(error: write::Error) -> Self {
        match error {
            write::Error::SwapCommit { .. } | write::Error::SwapRecord { .. } => {
                Self::named("InvalidSwap", error.to_string())
            }
            write::Error::Repo(RepoError::Tree(error)) => Self::internal("changing a repository's tree", &error),
            write::Error::TooManyBlobs { .. } | write::Error::TooManyReferences { .. } => {
                Self::invalid(error.to_string())
            }
            write::Error::Repo(error) => Self::invalid(error.to_string()),
            write::Error::OverQuota { .. } => Self::named("AccountQuotaExceeded", error.to_string()),
            write::Error::Blob { .. } => Self::named("BlobNotFound", error.to_string()),
            write::Error::BlobType { .. } => Self::named("InvalidMimeType", error.to_string()),
            write::Error::BlobSize { .. } => Self::named("InvalidSize", error.to_string()),
            write::Error::Closed { status, .. } => match may_write(status) {
                Err(refusal) => refusal,
                // The takedown was lifted in the meantime.
                Ok(()) => Self::unavailable("The state of the account changed during the write, try again", 1),
            },
            write::Error::Imported => {
                Self::unavailable("The repository is being imported, try again when that is over", 10)
            }
            write::Error::Overloaded => Self::unavailable("Too many writes are waiting, try again", 1),
            write::Error::Load(error) => error.into(),
            write::Error::Store(error) => error.into(),
            write::Error::Submit(SubmitError::Stopped) => Self::unavailable("The server is stopping, try again", 1),
            write::Error::Submit(SubmitError::Store(error)) if error.is_unavailable() => {
                tracing::warn!(
                    error = crate::report::chain(&*error),
                    "the database is not available: a commit was not stored"
                );
                Self::unavailable("The database is not available, try again", 1)
            }
            write::Error::Submit(error) => Self::internal("storing a commit", &error),
        }
    }
}
