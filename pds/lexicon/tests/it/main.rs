//! The validator against the protocol's own vectors and against the reference implementation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bundled;
mod interop;
mod reference;
mod rules;
