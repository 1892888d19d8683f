//! Why something of the directory cannot be read.

use std::{io, path::PathBuf};

/// A result of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something of the directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The tables are older or newer than those that this release reads.
    #[error("{} has schema version {found}, and this release reads {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The newest migration in it.
        found: String,
        /// The versions that can be read.
        known: &'static str,
    },
    /// The reference did not finish its last write, and there is no room for the copy in which that is done.
    #[error(
        "{} was not closed cleanly, and {} has no room for a copy of it ({needed} bytes): start and stop the reference once more, or set TMPDIR to a larger folder",
        path.display(), folder.display()
    )]
    Room {
        /// The file.
        path: PathBuf,
        /// The folder of temporary files.
        folder: PathBuf,
        /// In bytes.
        needed: u64,
    },
    /// SQLite cannot read it.
    #[error("read {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        #[source]
        source: rusqlite::Error,
    },
    /// The system cannot read it.
    #[error("read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A value is larger than any that the reference stores.
    #[error("{what} in {} has more than {limit} bytes", path.display())]
    Large {
        /// The file.
        path: PathBuf,
        /// The kind of value.
        what: &'static str,
        /// In bytes.
        limit: usize,
    },
}
