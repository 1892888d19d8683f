//! Against real servers: Versity Gateway, and moto with enforced policies. `e2e/services/up` starts both.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod attack;
mod aws;
mod crash;
mod isolation;
mod limited;
mod owner;
mod proxy;
mod s3;
mod tenant;
mod tls;
mod world;
