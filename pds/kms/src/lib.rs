//! The host's PLC rotation key in AWS KMS, which signs with it and never gives it out.
//!
//! Owns the requests to KMS, their time limits, and the forms of its answers. Never knows what an operation means.

mod client;
mod error;
mod key;

pub use client::Options;
pub use error::Error;
pub use key::KmsKey;
