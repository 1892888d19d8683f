//! The controller of `PdsInstance`: from a spec to a running PDS.

pub mod backoff;
pub mod cache;
pub mod context;
pub mod controllers;
pub mod http;
pub mod k8s;
pub mod lease;
pub mod metrics;
pub mod provision;
pub mod run;
