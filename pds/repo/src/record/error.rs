//! Reasons for which a value is not a record.

use super::limit::MAX_BYTES;
use super::shape::{MAX_UNPACKED, Shape};
use crate::cbor::Invalid;

pub(super) const TOO_DEEP: &str = "nested too deep: at most 128 levels are allowed";
pub(super) const TOO_LARGE: &str = "integers must fit into 64 bits with a sign";
pub(super) const UNSAFE: &str = "integers must lie between -(2^53 - 1) and 2^53 - 1";
pub(super) const FLOAT: &str = "the data model has no floating-point numbers";

/// Why a value is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value in the record violates the data model.
    #[error("{}: {reason}", if path.is_empty() { "record" } else { path.as_str() })]
    Value {
        /// Path of the value in the record, for example `/embed/images/0`. Empty for the record itself.
        path: String,
        /// What the data model requires.
        reason: &'static str,
    },
    #[error("not canonical DAG-CBOR: {0}")]
    Cbor(String),
    #[error("the record has {bytes} bytes: at most {MAX_BYTES} are allowed")]
    TooLarge { bytes: usize },
    #[error("the record has {shape}, which take {} MiB: at most {} are allowed", shape.record_bytes() >> 20, MAX_UNPACKED >> 20)]
    TooManyValues { shape: Shape },
}

impl Error {
    pub(super) fn value(reason: &'static str) -> Self {
        Self::Value { path: String::new(), reason }
    }

    /// The same error with `key` prepended to its path: the error of the map or list that contains the value under `key`.
    pub(super) fn within(mut self, key: impl std::fmt::Display) -> Self {
        if let Self::Value { path, .. } = &mut self {
            *path = format!("/{key}{path}");
        }
        self
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Cbor(invalid.to_string())
    }
}
