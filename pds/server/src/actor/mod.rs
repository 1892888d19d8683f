//! Repositories in memory: loading, writing, exporting and importing them. One writer at a time per repository and replica.
//!
//! No replica owns a repository. The locks here only save work; the compare-and-swap in the database decides.
//!
//! A write passes `prepare` (check and encode the record), `write` (plan the changes and build the commit), `line` (which commit the next one
//! is built on) and `committer` (store batches of commits).

mod actors;
mod change_key;
mod committer;
mod count;
pub mod export;
pub mod import;
pub mod key;
mod line;
mod load;
mod pace;
pub mod prepare;
mod recent;
pub mod rules;
mod service_token;
mod slot;
mod state;
mod turns;
mod view;
pub mod write;

pub use actors::{Actors, Parts};
pub use change_key::ChangeKeyError;
pub use committer::{Committer, SubmitError};
pub use load::LoadError;
pub use service_token::Purpose;
pub use state::{Actor, Counts};
pub use view::View;

/// How often something is stored again because a lock in the database was not free in time. Each time takes as long as the database lets a statement
/// wait for a lock.
const LOCK_RETRIES: u32 = 2;
