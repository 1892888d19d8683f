//! The controller against a real API server without a node: what it writes, not what runs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends there")]

mod crash;
mod deletion;
mod harness;
mod lifecycle;
mod pause;
mod rights;
mod s3;
mod schema;
mod secrets;
mod wire;
