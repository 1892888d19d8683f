//! How a reconciliation ends.

use kube::runtime::controller::Action;

use super::finalize;

/// Seconds after which an instance that ends is looked at again while something uses its data. A watch tells when that is gone.
pub(super) const ENDS: u64 = 30;

/// A failure that prevents the reconciliation from writing the status. It is logged and tried again.
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
    /// Reconcile again after the given time, or when a watch reports a change.
    Wait(Action),
    /// Reconcile again after the backoff of this instance.
    Retry,
    /// Reconcile again after the backoff of this instance, and not before the usual pause of one that waits: what was done was done before and
    /// came to nothing.
    Again,
}
