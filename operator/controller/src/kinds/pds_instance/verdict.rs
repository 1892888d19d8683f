//! Whether a part of an instance is as it should be, and why.

use operator_api::Reason;
use operator_runtime::carry_out::{Cause, Failure};

/// Whether a part of an instance is as it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is.
    pub good: bool,
    /// Why.
    pub reason: Reason,
    /// For people: the object, what is wrong, what to do.
    pub message: String,
}

impl Verdict {
    /// The part is as it should be.
    pub fn good(message: impl Into<String>) -> Self {
        Self { good: true, reason: Reason::AsExpected, message: message.into() }
    }

    /// The part is not as it should be.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: false, reason, message: message.into() }
    }

    /// Whether only a person can go on.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        !self.good && self.reason.is_stalled()
    }
}

impl From<&Failure> for Verdict {
    fn from(failure: &Failure) -> Self {
        let reason = match failure.cause {
            Cause::NotOwned => Reason::ObjectNotOwned,
            Cause::Predecessors => Reason::Progressing,
            Cause::Quota => Reason::QuotaExceeded,
            Cause::Refused => Reason::ApplyFailed,
            Cause::Unavailable => Reason::ReconcileFailed,
        };
        Self::bad(reason, failure.to_string())
    }
}
