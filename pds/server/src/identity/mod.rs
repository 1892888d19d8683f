//! Handles: which ones this host gives out, whose they are, and how an account changes its own.

mod check;
mod handles;
mod reserved;
mod update;

pub use check::HandleError;
pub use handles::{Handles, Parts};
pub use update::Error as UpdateError;
