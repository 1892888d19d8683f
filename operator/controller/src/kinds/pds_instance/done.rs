//! What a reconciliation did, as digests, so that the next one notices that it does the same again.

use operator_api::ConditionType;
use operator_runtime::hash;

use super::step::Step;

/// What a reconciliation did.
#[derive(Clone, Debug)]
pub struct Done {
    steps: String,
    /// What was asked of the API server; nothing if that was nothing.
    work: Option<String>,
}

impl Done {
    pub(super) fn new(steps: &[(ConditionType, Step)], work: Option<String>) -> Self {
        // Debug shows no secret.
        Self { steps: hash::of(&format!("{steps:?}"), 32), work }
    }

    pub(super) fn has_same_steps(&self, other: &Self) -> bool {
        self.steps == other.steps
    }

    /// Whether both asked the API server for the same. Nothing is not the same as nothing.
    pub(super) fn has_same_work(&self, other: &Self) -> bool {
        self.work.is_some() && self.work == other.work
    }
}
