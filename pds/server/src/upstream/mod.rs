//! Calls to other services on behalf of accounts: connections, limits of time and size, places for calls under way, and what is done while a service
//! does not respond.
//!
//! Never knows which method is called or why, and never changes a body.

mod breaker;
mod call;
mod connect;
mod error;
mod incoming;
mod outgoing;
mod places;
mod service;
mod upstreams;

pub use call::{Answer, Call};
pub use error::Error;
pub use incoming::Incoming;
pub use outgoing::Outgoing;
pub use service::{Configured, Kind, Service};
pub use upstreams::{Parts, Upstreams};
