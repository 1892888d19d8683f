//! Whether a part of an instance is as it should be, and why.

use operator_api::Reason;
use operator_runtime::carry_out::{Cause, Failure};
use operator_runtime::ownership::Lifetime;

/// Whether a part of an instance is as it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Becomes the status of the condition: true is `True`.
    pub good: bool,
    /// Becomes the reason of the condition.
    pub reason: Reason,
    /// For people: the object, what is wrong, what to do.
    pub message: String,
    /// Whether the parts that need this one wait for it.
    pub blocks: bool,
}

impl Verdict {
    /// The part is as it should be.
    pub fn good(message: impl Into<String>) -> Self {
        Self { good: true, reason: Reason::AsExpected, message: message.into(), blocks: false }
    }

    /// The part is not as it should be, and those that need it wait.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: false, reason, message: message.into(), blocks: true }
    }

    /// The same of a part that works nevertheless, or that others can do without.
    #[must_use]
    pub fn bearable(self) -> Self {
        Self { blocks: false, ..self }
    }

    /// The part works, and this is worth a warning.
    pub fn warning(reason: Reason, message: impl Into<String>) -> Self {
        Self { good: true, reason, message: message.into(), blocks: false }
    }

    /// An object that the instance needs is being deleted, and is not made anew before it is gone.
    pub fn being_deleted(object: &str, lifetime: Lifetime) -> Self {
        let message = match lifetime {
            Lifetime::Instance => format!(
                "{object} is being deleted, and the operator makes it anew once it is gone; if it stays, look at its metadata.finalizers"
            ),
            Lifetime::Data => format!(
                "{object} is being deleted; its metadata.finalizers keep it, and once they are removed what it holds is lost: save that now"
            ),
        };
        Self::bad(Reason::BeingDeleted, message)
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
