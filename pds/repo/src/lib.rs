//! The repository engine: records as DAG-CBOR, the Merkle search tree, signed commits, CAR files, firehose frames.
//!
//! Pure and synchronous. Owns the binary formats of the protocol. Never stores, sends or resolves anything.

pub mod car;
pub mod cbor;
mod cid;
pub mod commit;
pub mod event;
pub mod mst;
pub mod proof;
pub mod record;
mod repo;

pub use cid::{Cid, Codec};
pub use repo::{Action, CommitDiff, Error, Head, MAX_EVENT_BYTES, MAX_WRITES, Op, Repo, Write};
