//! Record schemas of the AT Protocol and the check of records against them.
//!
//! Owns the meaning of Lexicon for records in their JSON form. Never resolves schemas over the network, never changes a
//! record (defaults are for readers), never looks at the data model's own rules, which `pds-repo` enforces.
//!
//! The schemas are data, generated from the pinned npm package `@atproto/api` by `cargo xtask gen`.

mod catalog;
mod document;
mod error;
mod key;
mod validate;

pub use catalog::{Catalog, LoadError, ValidationStatus};
pub use document::Document;
pub use error::Error;
pub use key::KeyType;
