//! Requests that other services answer.

mod faults;
mod forward;
pub(crate) mod token;
