//! All SQL of the PDS: SQLite and Postgres behind the same functions, and their migrations.
//!
//! This crate owns the tables, their constraints, the compare-and-swap of heads, the gapless event sequence, and the durability of writes. It
//! never signs, never uses the network except for its database, and never reads a clock: times are parameters, in microseconds since 1970 UTC.
//! Records are bytes here; their meaning is the caller's.
//!
//! One SQL text serves both databases where that is possible; the differences are in `dialect`. Functions that only read take any [`Source`]
//! (the pool, a transaction); functions that write take `&mut` [`Tx`], so none of them opens a transaction of its own. The exceptions are
//! [`commit::commit_batch`] and [`commit::Staging`], which are transactions themselves, [`blob::adopt`], which follows one, and
//! [`adoption::remove_reserved`], which works in portions, and [`usage::counted`], which notes what it counts. [`reference`] reads files of another server.

pub mod account;
pub mod adoption;
pub mod app_password;
pub mod background;
pub mod blob;
pub mod commit;
pub mod email_token;
pub mod event;
pub mod full;
pub mod invite;
pub mod job;
pub mod lexicon;
pub mod mail;
pub mod maintenance;
pub mod owner;
#[doc(hidden)]
pub mod plan;
pub mod preference;
pub mod record;
pub mod reference;
pub mod repo;
pub mod reserved_key;
pub mod reserved_label;
pub mod schema;
pub mod session;
pub mod turn;
pub mod usage;

mod bulk;
mod column;
mod db;
mod dialect;
mod disk_full;
mod error;
mod line;
pub mod lines;
mod list;
mod meter;
mod options;
mod ping;
mod pools;
mod row;
mod snapshot;
mod source;
mod tx;

pub use account::{AccountId, AppPasswordId};
pub use db::Db;
pub use error::{Error, Result};
pub use meter::SPANS;
pub use options::{Dialect, Options};
pub use schema::migrate;
pub use snapshot::{Bodies, Page, Snapshot};
pub use source::Source;
pub use tx::Tx;
