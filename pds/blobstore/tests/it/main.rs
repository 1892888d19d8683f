//! The contract of all stores, and properties of single stores.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod disk;
mod harness;
mod identity;
mod s3;
