//! The data directory of the reference implementation, read and never changed.
//!
//! Blocking: callers use threads that may block. Values are as the reference stores them; their meaning is the caller's. Nothing here writes to
//! the directory, takes one of its locks for longer than a look, or leaves a file in it (`file`).

mod accounts;
mod actor;
mod error;
mod file;
mod folder;
mod sequence;

pub use accounts::{Accounts, AppPassword, InviteCode, InviteUse, LeftBehind, RefreshToken, SourceAccount};
pub use actor::{ActorStore, SourceBlob};
pub use error::{Error, Result};
pub use file::Use;
pub use folder::Folder;
pub use sequence::{Sequence, SourceEvent};
