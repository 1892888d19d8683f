//! Taking over the data directory of the reference implementation: accounts with their keys, repositories, blobs and sessions, invite codes, and the
//! sequence of events with its numbers.
//!
//! The directory is only read. An account is complete or absent: it is reserved until all of its data is stored (`account`), and one that is reserved when
//! the import begins again is removed and taken over anew. The sequence and the invite codes come last (`ending`), when no account is missing.
//! Nothing is signed, announced or published here.

mod account;
mod blob_source;
mod blobs;
mod ending;
mod error;
mod events;
mod parts;
mod reader;
mod refused;
mod run;
mod source;
mod verify;

pub use blob_source::BlobSource;
pub use error::Error;
pub use parts::Parts;
pub use refused::Refused;
pub use run::{Adoption, State, Step, Totals};
