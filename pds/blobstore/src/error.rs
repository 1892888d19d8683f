//! Errors of a store.

use crate::BlobKey;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A result with the error of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no finished object with this key.
    #[error("the blob store has no object {key}")]
    NotFound { key: BlobKey },
    /// The range is empty or begins after the end of the object.
    #[error("the range is outside of the object {key}")]
    OutOfRange { key: BlobKey },
    /// Other uploads used all memory for uploads for too long.
    #[error("the memory for uploads is used up: the object {key} was not uploaded")]
    Busy { key: BlobKey },
    /// The store did not respond in time.
    #[error("the blob store did not respond in time to the operation \"{operation}\" for {subject}")]
    TimedOut {
        operation: &'static str,
        /// The key of the object, or the name of the store.
        subject: String,
    },
    /// The store cannot be used with these options.
    #[error("cannot use the blob store: {reason}")]
    Unusable {
        /// What is wrong with the options.
        reason: String,
    },
    /// An I/O error or an error response of the server.
    #[error("the operation \"{operation}\" of the blob store failed for {subject}")]
    Failed {
        operation: &'static str,
        /// The key of the object, or the name of the store.
        subject: String,
        #[source]
        source: Source,
    },
}

impl Error {
    /// True if the same call may succeed later, so that the response should be 503 instead of 500.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::TimedOut { .. } | Self::Failed { .. })
    }

    pub(crate) fn failed<E: Into<Source>>(operation: &'static str, subject: impl ToString) -> impl FnOnce(E) -> Self {
        let subject = subject.to_string();
        move |source| Self::Failed { operation, subject, source: source.into() }
    }
}
