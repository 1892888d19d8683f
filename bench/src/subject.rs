//! What is measured.

use crate::fixture::Fixture;
use crate::target::Target;

/// A PDS and what it has been filled with.
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) fixture: Fixture,
}
