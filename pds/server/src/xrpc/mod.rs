//! XRPC over axum: reading parameters and inputs, answering, errors. Source: <https://atproto.com/specs/xrpc>.

mod error;
mod input;
mod output;
mod socket;

pub use error::{ErrorName, XrpcError};
pub use input::{Procedure, Query, flag, list, number, plain, present};
pub use output::{Output, Text};
pub use socket::{Socket, Upgrade};

/// Result of a method.
pub type Result<T, E = XrpcError> = std::result::Result<T, E>;
