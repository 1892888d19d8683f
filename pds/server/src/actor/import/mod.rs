//! A whole repository from a CAR file, in place of the one that is there.
//!
//! The file is written to a temporary one while it arrives (`spool`), which needs no memory. In its turn it is checked from its commit to its
//! last record (`content`), within the memory that all imports share (`memory`). The differences to the repository in the database are then stored, all or none of them (`replace`,
//! [ADR 17](../../../../../docs/adr/0017-imports-are-staged-above-the-head.md)).
//!
//! A repository that comes with its key keeps its commit (`whole`).

mod content;
mod error;
mod memory;
mod portion;
mod replace;
mod report;
mod run;
mod spool;
mod whole;

pub use error::{Error, Invalid};
pub(in crate::actor) use memory::Memory;
pub use report::{Note, Notes, Report};
pub use whole::{Whole, WholeError};
