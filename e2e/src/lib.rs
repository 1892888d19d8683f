//! The harness of the tests on a real cluster: instances, accounts, stock clients, and access to database and bucket.
//!
//! It contains no code of the product and uses public interfaces only: the Kubernetes API, XRPC through the Service, and the stock JavaScript
//! clients of `e2e/clients`. `e2e/run` starts the cluster, its S3 server and its PLC directory, and passes their addresses in `AURORA_E2E_*`.

pub mod check;
pub mod client;
pub mod cluster;
pub mod helm;
pub mod instance;
pub mod load;
pub mod mailpit;
pub mod relay;
pub mod stock;
pub mod wait;

pub use client::{Account, Pds};
pub use cluster::Cluster;
pub use instance::Instance;
pub use mailpit::Mailpit;
pub use relay::Relay;
