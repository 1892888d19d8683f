//! The error of all identifiers.

/// The text does not follow the grammar of the identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}: {reason}")]
pub struct Error {
    /// The kind of identifier: `did`, `handle`, `nsid`, ...
    pub kind: &'static str,
    /// The text, cut to 100 characters.
    pub value: String,
    /// What the grammar requires.
    pub reason: &'static str,
}

impl Error {
    pub(crate) fn new(kind: &'static str, value: &str, reason: &'static str) -> Self {
        Self { kind, value: value.chars().take(100).collect(), reason }
    }
}
