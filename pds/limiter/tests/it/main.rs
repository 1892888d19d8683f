//! Budgets through the public API: in the process, and in a real Redis.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod laws;
mod redis;
mod shared;
mod tls;
