//! Why a text is not the identifier it should be.

/// A text that does not follow an identifier's grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a valid {kind}: {reason}")]
pub struct Error {
    /// What was expected: `did`, `handle`, `nsid`, ...
    pub kind: &'static str,
    /// The offending text, cut to 100 characters.
    pub value: String,
    /// What the grammar asks for.
    pub reason: &'static str,
}

impl Error {
    pub(crate) fn new(kind: &'static str, value: &str, reason: &'static str) -> Self {
        Self { kind, value: value.chars().take(100).collect(), reason }
    }
}
