//! The store's contract, held on both databases.
//!
//! Each test gets a database of its own. Postgres comes from `AURORA_TEST_POSTGRES_URL`, which `make test` sets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy's allowance for tests covers the test functions, not what they call"
)]

mod harness;

mod account;
mod adoption;
mod app_password;
mod blob;
mod commit;
mod concurrency;
mod connect;
mod deletion;
mod email_token;
mod event;
mod full;
mod import;
mod invite;
mod job;
mod lexicon;
mod mail;
mod owner;
mod plan;
mod preference;
mod record;
mod references;
mod repo;
mod reserved_key;
mod schema;
mod session;
mod submitted_operation;
mod turn;
mod usage;
mod wakeups;
