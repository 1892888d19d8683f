//! The parts of an instance, one file each.
//!
//! A component owns the names of its objects, the objects themselves, what else has to be done, and the verdict: all pure, computed from
//! what was observed. What is watched, what is pruned and which rights the operator needs follow from [`COMPONENTS`].

pub mod blobs;
pub mod bucket_limit;
pub mod certificate;
mod config;
pub mod database;
pub mod hostname;
mod job;
pub mod keys;
pub mod migration;
pub mod name;
pub mod network;
pub mod part;
pub mod pod;
pub mod rollout;
pub mod secrets;
mod security;
pub mod server;
pub mod version;
pub mod volume;

#[cfg(test)]
mod tests;

use k8s_openapi::api::core::v1::{Pod, Secret};
use operator_runtime::child::Child;

use part::Component;

/// The components in the order in which they are planned. A component sees the verdicts of those before it.
pub static COMPONENTS: [&dyn Component; 9] = [
    &hostname::Hostname,
    &keys::Keys,
    &network::Network,
    &database::Postgres,
    &blobs::BucketOrDisk,
    &certificate::Certificate,
    &secrets::Secrets,
    &migration::Migration,
    &server::Server,
];

/// Objects that no component applies but the operator handles: pods are read to tell what keeps them from running, Secrets are created
/// once.
pub const HANDLED: [Child; 2] =
    [Child::reduced::<Pod, pod::Essentials>(&[]), Child::metadata::<Secret>(&["create", "patch", "delete"])];
