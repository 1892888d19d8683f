//! The identifiers of the AT Protocol. Each is a type whose values are always valid.
//!
//! Owns their grammar and their canonical text form. Never resolves identifiers.

mod at_identifier;
mod at_uri;
mod datetime;
mod did;
mod error;
mod handle;
mod language;
mod nsid;
mod record_key;
mod repo_path;
mod text;
pub mod tid;

pub use at_identifier::AtIdentifier;
pub use at_uri::AtUri;
pub use datetime::Datetime;
pub use did::Did;
pub use error::Error;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use record_key::RecordKey;
pub use repo_path::RepoPath;
pub use tid::Tid;
