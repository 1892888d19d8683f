//! A Personal Data Server: XRPC over HTTP, repositories and blobs, the firehose.
//!
//! The modules are layers: each may use the ones above it in this list. Only those from `app` on know the whole server, and only those from
//! `xrpc` on know HTTP. `cargo xtask tidy` checks this.

pub mod clock;
pub mod report;
pub mod task;

pub mod metrics;
pub mod trace;

pub mod mail;

pub mod blob;
pub mod rate_limit;
pub mod sequencer;

pub mod read_after_write;
pub mod upstream;

pub mod actor;

pub mod identity;

pub mod account;

pub mod moderation;

pub mod adoption;

pub mod job;

pub mod outside;

pub mod app;

pub mod auth;
pub mod xrpc;

pub mod api;
pub mod http;

pub mod command;
pub mod router;
