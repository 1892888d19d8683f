//! One contract for every store, and what only one of them promises.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod disk;
mod harness;
mod identity;
mod s3;
