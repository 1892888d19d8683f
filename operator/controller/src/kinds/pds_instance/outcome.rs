//! How a reconciliation ends.

use kube::runtime::controller::Action;

use super::finalize;

/// What fails in a reconciliation so that not even a status could be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Reading what exists.
    #[error("read what exists")]
    Observe(#[source] kube::Error),
    /// Writing the status.
    #[error("write the status")]
    Status(#[source] kube::Error),
    /// Deleting data, or the finalizer.
    #[error("end the instance")]
    Finalize(#[source] finalize::Error),
}

impl Error {
    /// A label for metrics.
    #[must_use]
    pub(super) fn category(&self) -> &'static str {
        match self {
            Self::Observe(_) => "observe",
            Self::Status(_) => "status",
            Self::Finalize(_) => "finalize",
        }
    }
}

/// What follows a reconciliation.
pub(super) enum Next {
    /// All is well, or something else will tell.
    Wait(Action),
    /// Something failed.
    Retry,
}
