//! What every controller needs and no kind of ours: caches, writes with ownership, conditions, Events, the lease, supervision, metrics.
//!
//! The crate names no kind of this project. It is told which kinds to keep and what to write.

mod amount;
pub mod backoff;
pub mod bounded;
pub mod cache;
pub mod carry_out;
pub mod child;
pub mod compare;
pub mod condition;
pub mod event;
pub mod guard;
pub mod hash;
pub mod labels;
pub mod lease;
pub mod listener;
pub mod manifest;
pub mod metrics;
pub mod object;
pub mod ownership;
pub mod pace;
pub mod pages;
pub mod places;
pub mod recent;
pub mod secret;
pub mod sight;
pub mod supervise;
pub mod tolerant;
pub mod turns;
