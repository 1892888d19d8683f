//! Who is behind a DID and a handle: DID documents, the PLC directory, resolution with a cache.
//!
//! Owns every request to names that users bring, and the guard that keeps those requests away from private networks. Knows nothing of accounts.

mod cached;
pub mod did_doc;
mod guard;
mod handle;
pub mod plc;
mod resolver;
mod roots;
#[cfg(test)]
mod testing;

pub use did_doc::DidDocument;
pub use guard::{Allow, Guard};
pub use resolver::{Options, Resolver};
pub use roots::Roots;

/// What can go wrong while asking others.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such DID or handle.
    #[error("{0} does not resolve")]
    NotFound(String),
    /// Somebody did not answer, or not in time.
    #[error("{name} could not be asked: {reason}")]
    Unreachable {
        /// A URL or a name.
        name: String,
        /// What happened.
        reason: String,
    },
    /// An answer that is not what it should be.
    #[error("{name} answered what cannot be used: {reason}")]
    Answer {
        /// A URL or a name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The directory does not accept an operation.
    #[error("the PLC directory refused the operation: {message}")]
    Refused {
        /// Its own words.
        message: String,
    },
}

impl Error {
    /// Is it an answer, rather than the lack of one?
    fn is_final(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }
}
