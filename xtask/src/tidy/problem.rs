//! The result of a check.

use std::fmt;
use std::path::PathBuf;

/// A violation of a rule. It is printed as `path:line: message`, which editors can jump to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) path: PathBuf,
    /// From 1.
    pub(super) line: usize,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(path: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}
