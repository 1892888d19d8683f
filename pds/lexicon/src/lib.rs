//! Schemas of the AT Protocol, and validation of records and of what methods take and answer.
//!
//! Owns the meaning of Lexicon for values in JSON form and for query strings. Never fetches schemas from the network. Never changes a record: defaults are for readers.
//! Never checks the rules of the data model, which `pds-repo` enforces.
//!
//! The schemas are data. `cargo xtask gen` generates them from the pinned npm package `@atproto/api`.

mod catalog;
mod document;
mod draft;
mod error;
mod key;
mod listed;
mod method;
mod validate;

pub use catalog::{Catalog, LoadError, ValidationStatus, documents};
pub use document::Document;
pub use draft::{Draft, limit};
pub use error::Error;
pub use key::KeyType;
pub use method::{Kind, Method};
