//! The validator, compared with the interop vectors of the protocol and with the reference implementation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bundled;
mod interop;
mod method;
mod published;
mod reference;
mod rules;
