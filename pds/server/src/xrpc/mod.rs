//! XRPC over axum: reading parameters and inputs, answering, errors. Source: <https://atproto.com/specs/xrpc>.

mod check;
mod content_type;
mod error;
mod input;
mod languages;
mod output;
mod socket;
mod upgrade;

pub use check::{ForeignOutput, check_output};
pub use content_type::{content_type, essence, expect_content_type};
pub use error::{ErrorName, XrpcError};
pub use input::{HeldInput, Procedure, Query, refuse_body, refuse_compressed};
pub use output::{Output, Text};
pub use socket::Socket;
pub use upgrade::Upgrade;

/// Result of a method.
pub type Result<T, E = XrpcError> = std::result::Result<T, E>;
