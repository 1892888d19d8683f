//! Rate limits through the public API, in the process and in a real Redis server.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod algorithms;
mod redis;
mod shared;
mod tls;
