//! Adds what an account has just written to the answers of an app view that has not seen it yet.
//!
//! Pure: works on JSON values, asks nobody and reads no clock. The caller fetches what [`Local`] and [`Viewer`] contain. An answer or record whose
//! shape is not the expected one is [`Malformed`]; the answer then stays as it came.

mod embed;
mod feed;
mod local;
mod merge;
mod profile;
mod thread;
mod viewer;

pub use embed::{Lookup, lookups};
pub use local::{Local, LocalRecord};
pub use merge::Merge;
pub use thread::{highest_parent, rebuild, set_parent};
pub use viewer::{Images, Viewer};

/// A value has not the shape that its lexicon describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value has an unexpected shape")]
pub struct Malformed;

#[cfg(test)]
mod tests;
