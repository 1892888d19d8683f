//! The kinds of the operator: `PdsInstance` and `PdsClass` in the group `auroralocus.dev`, version `v1alpha1`.
//!
//! Pure data. No field has a default in its schema, so what a person wrote is what the API server stores; the
//! controller fills in defaults when it reads. What CEL can refuse is refused by the schema.

#![expect(unreachable_pub, reason = "the derive of kube writes public types into functions")]

pub mod class;
pub mod instance;
mod pod;
mod rule;
mod secret;
pub mod status;

pub use class::{ClassLimits, Images, PdsClass, PdsClassSpec, Provisioner, S3Class};
pub use instance::{
    BlobStore, Database, Deletion, DeletionPolicy, External, HandleDomain, Identity, Invites, Limits, Network,
    NetworkPolicyMode, PdsInstance, PdsInstanceSpec, RateLimits, S3Bucket, Volume,
};
pub use pod::PodSettings;
pub use secret::{Empty, SecretKey, SecretName};
pub use status::{BlobStoreStatus, DatabaseStatus, KeysStatus, PdsInstanceStatus};

/// The API group.
pub const GROUP: &str = "auroralocus.dev";

#[cfg(test)]
mod tests;
