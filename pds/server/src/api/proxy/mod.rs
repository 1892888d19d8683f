//! Requests that other services answer: which service, on whose behalf, with which headers.
//!
//! Bodies are passed on as they come. Only the answers of a few methods are read and changed (`read`), so that an account sees at once what it has
//! written.

mod accept;
mod answer;
mod call;
mod failure;
mod forward;
mod headers;
mod local;
mod policy;
mod read;
mod refusal;
mod target;

pub use forward::{forward, screen};
pub use policy::{Policies, Policy};

pub use answer::stream;
pub use call::{Outgoing, call, json};
pub use failure::Failure;
pub use forward::pass_on;
pub use read::{ask, public, read, rebuild, unchanged};
pub use refusal::Refusal;
pub use target::{Target, endpoint, named_elsewhere, named_service, require_app_view, target};
