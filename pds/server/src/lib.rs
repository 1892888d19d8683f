//! A Personal Data Server: XRPC over HTTP, repositories and blobs, the firehose.
//!
//! The modules are layers; one may use what stands above it in this list. Only the last six know HTTP.

pub mod clock;
pub mod metrics;
pub mod report;
pub mod sequencer;

pub mod account;
pub mod actor;
pub mod app;
pub mod blob;
pub mod identity;
pub mod job;
pub mod moderation;
pub mod rate_limit;

pub mod api;
pub mod auth;
pub mod command;
pub mod http;
pub mod router;
pub mod xrpc;
