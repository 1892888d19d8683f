//! A generated file.

use std::path::PathBuf;

/// A file as it has to be.
pub(super) struct File {
    /// From the root of the workspace.
    pub(super) path: PathBuf,
    pub(super) text: String,
}
