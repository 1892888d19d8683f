//! The harness of the tests on a real cluster: instances, people with accounts, stock clients, and what `psql` and S3 see.
//!
//! Owns no behaviour of the product. Everything goes through public doors: `kubectl`-like API calls, XRPC through the Service, the
//! stock JavaScript clients of `e2e/clients`. The cluster, its S3 server and its PLC directory are brought up by `e2e/run`, which
//! names them in `AURORA_E2E_*`.

#![expect(missing_docs, reason = "the names say it; what does not show in a name is documented")]

pub mod check;
pub mod client;
pub mod cluster;
pub mod instance;
pub mod load;
pub mod relay;
pub mod stock;
pub mod wait;

pub use client::{Account, Pds};
pub use cluster::Cluster;
pub use instance::Instance;
pub use relay::Relay;
