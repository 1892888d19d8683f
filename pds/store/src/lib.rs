//! All SQL of the PDS: SQLite and Postgres behind the same functions, and their migrations.
//!
//! This crate owns the tables, what may be in them at once (constraints, compare-and-swap, the gapless event sequence)
//! and how durable a write is. It never signs, never talks to the network beyond its database and never reads a clock:
//! times come in as microseconds since 1970 UTC. It knows records as bytes; what they mean is the caller's.
//!
//! One SQL text serves both databases wherever that is possible; what differs stands in `dialect`. Functions that only
//! read take any [`Source`] (the pool, a transaction); functions that write take `&mut` [`Tx`], so a domain
//! function never opens a transaction behind its caller's back. The exceptions are [`commit::commit_batch`] and
//! [`commit::Import`], which *are* transactions, and [`blob::adopt`], which comes after one.

pub mod account;
pub mod background;
pub mod blob;
pub mod commit;
pub mod event;
pub mod full;
pub mod invite;
pub mod owner;
#[doc(hidden)]
pub mod plan;
pub mod record;
pub mod repo;
pub mod schema;
pub mod session;
pub mod turn;

mod bulk;
mod column;
mod db;
mod dialect;
mod error;
mod row;
mod snapshot;
mod source;
mod tx;
mod waits;

pub use account::AccountId;
pub use db::{Db, Dialect, Options};
pub use error::{Error, Result};
pub use schema::migrate;
pub use snapshot::{Bodies, Page, Snapshot};
pub use source::Source;
pub use tx::Tx;
