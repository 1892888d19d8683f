//! What can go wrong with a store.

use crate::BlobKey;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No finished object has that key.
    #[error("no blob {key}")]
    NotFound {
        /// The key asked for.
        key: BlobKey,
    },
    /// The range is empty or begins after the object's end.
    #[error("range outside of blob {key}")]
    OutOfRange {
        /// The key asked for.
        key: BlobKey,
    },
    /// Uploads hold all the memory that they may use; none was freed in time.
    #[error("no memory left for the upload of blob {key}")]
    Busy {
        /// The key being written.
        key: BlobKey,
    },
    /// The store did not answer in the configured time.
    #[error("{operation} of blob store took too long: {subject}")]
    TimedOut {
        /// What was being done.
        operation: &'static str,
        /// The key or the store.
        subject: String,
    },
    /// The store cannot be used with these options.
    #[error("blob store cannot be used: {reason}")]
    Unusable {
        /// What has to change.
        reason: String,
    },
    /// Everything else: input and output errors, refusals of the server.
    #[error("{operation} of blob store failed: {subject}")]
    Failed {
        /// What was being done.
        operation: &'static str,
        /// The key or the store.
        subject: String,
        /// Why.
        #[source]
        source: Source,
    },
}

impl Error {
    /// True if the same call may succeed later: answer 503, not 500.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::TimedOut { .. } | Self::Failed { .. })
    }

    pub(crate) fn failed<E: Into<Source>>(operation: &'static str, subject: impl ToString) -> impl FnOnce(E) -> Self {
        let subject = subject.to_string();
        move |source| Self::Failed { operation, subject, source: source.into() }
    }
}
