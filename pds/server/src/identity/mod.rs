//! Handles: which ones this host gives out, whose they are, and how an account changes its own.

mod change_key;
mod check;
mod handles;
pub mod identities;
pub mod lexicons;
mod lookups;
mod reserved;
mod resolve;
mod schemas;
mod submit;
mod update;

pub use change_key::Error as ChangeKeyError;
pub use check::HandleError;
pub use handles::{Handles, Parts};
pub use identities::{Changes, Identities};
pub use lexicons::Lexicons;
pub use lookups::Lookups;
pub use resolve::{Error as ResolveError, Resolved};
pub use schemas::Schemas;
pub use update::Error as UpdateError;
