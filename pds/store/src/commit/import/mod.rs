//! Importing a whole repository: records are staged in many short transactions, then one short transaction makes them the repository
//! ([ADR 17](../../../../../docs/adr/0017-imports-are-staged-above-the-head.md)).
//!
//! While records are staged the repository's row contains the token of the import, so no commit is stored and the head stays. Staged records
//! have the revision that the head will have. Readers take only records up to the head ([`crate::record`], [`crate::Snapshot`]), so nobody
//! sees staged ones. No lock is held that others wait for, and on SQLite the writer is free between two portions.

mod hold;
mod staging;
mod swap;
mod undo;
mod write;

pub use staging::Staging;
pub use swap::Swap;
pub use undo::{expired, undo_expired};
