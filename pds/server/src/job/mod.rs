//! Background jobs.
//!
//! Most jobs run on one replica at a time: the replica takes a lease in the database and renews it while it works, and what became of the run is written
//! there ([`Jobs`], [`pds_store::job`]). The few jobs that serve their own replica run on each. A job that fails or panics is tried again, later each time, and
//! stops no other. Every job is idempotent, because a replica may die, or lose its lease, in the middle of it.

pub mod account_purge;
pub mod blob_store;
pub mod cache_cleanup;
pub mod crawl;
mod database_maintenance;
pub mod expired_imports;
mod health_check;
mod identity_changes;
mod jobs;
mod lease;
mod mails;
pub mod reservations;
pub mod sessions;
pub mod suspensions;
mod table;
mod view;
mod work;

pub use jobs::{Jobs, RunError, Setup};
pub use table::Parts;
pub use view::View;
pub use work::{Job, RunsOn};
