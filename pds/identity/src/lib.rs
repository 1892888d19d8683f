//! Resolution of DIDs and handles: DID documents, the PLC directory, caches.
//!
//! Owns all requests to hosts that users name, and the guard that keeps these requests away from private networks. Knows nothing of accounts.

mod cached;
pub mod did_doc;
mod dns;
mod guard;
mod handle;
pub mod plc;
mod resolver;
mod roots;
#[cfg(test)]
mod testing;

pub use cached::{Ages, Cached};
pub use did_doc::DidDocument;
pub use dns::Dns;
pub use guard::{Allow, Guard, addresses, is_public};
pub use resolver::{Options, Resolver};
pub use roots::Roots;

/// Why a DID or handle could not be resolved, or an operation not be submitted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The DID or handle does not exist.
    #[error("{0} does not resolve")]
    NotFound(String),
    /// The DID was deactivated for good.
    #[error("{0} is deactivated")]
    Tombstoned(String),
    /// A server did not respond in time, or its response was an error.
    #[error("cannot reach {name}: {reason}")]
    Unreachable {
        /// URL, DID or handle.
        name: String,
        reason: String,
    },
    /// The response is not valid.
    #[error("the response of {name} is not valid: {reason}")]
    Answer {
        /// URL, DID or handle.
        name: String,
        reason: String,
    },
    /// The caller has too many lookups under way, or all callers together have.
    #[error("too many lookups are under way")]
    Busy,
    /// An operation could not be signed: the service that has the key did not do it.
    #[error("cannot sign with the PLC rotation key {key}: {reason}")]
    Unsigned {
        /// The name of the key.
        key: String,
        reason: String,
    },
    /// The PLC directory refused an operation.
    #[error("the PLC directory refused the operation: {message}")]
    Refused {
        /// The message of the directory.
        message: String,
    },
}

/// Maximum length of a name or reason in an error, in characters: other servers may choose what is in them.
const TEXT_CHARS: usize = 500;

impl Error {
    /// The same with names and reasons of at most 500 characters, to be kept.
    #[must_use]
    pub fn shortened(self) -> Self {
        let short = |text: String| match text.char_indices().nth(TEXT_CHARS) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        };
        match self {
            Self::NotFound(name) => Self::NotFound(short(name)),
            Self::Tombstoned(name) => Self::Tombstoned(short(name)),
            Self::Unreachable { name, reason } => Self::Unreachable { name: short(name), reason: short(reason) },
            Self::Answer { name, reason } => Self::Answer { name: short(name), reason: short(reason) },
            Self::Busy => Self::Busy,
            Self::Unsigned { key, reason } => Self::Unsigned { key: short(key), reason: short(reason) },
            Self::Refused { message } => Self::Refused { message: short(message) },
        }
    }

    /// Whether the error is a definite answer, not a failure to get one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Tombstoned(_))
    }
}
