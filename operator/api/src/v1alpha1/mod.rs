//! Version `v1alpha1` of every kind: one folder per kind, and the types that kinds share.

mod condition;
pub mod pds_bucket_claim;
pub mod pds_class;
pub mod pds_hostname_claim;
pub mod pds_instance;
mod quantity;
mod reason;
mod reference;
mod rule;

#[cfg(test)]
mod tests;

pub use condition::ConditionType;
pub use pds_bucket_claim::{PdsBucketClaim, PdsBucketClaimSpec};
pub use pds_class::{
    Allowed, AwsStore, ClassLimits, Defaults, Images, Isolation, ObjectStore, PdsClass, PdsClassSpec, Placement,
    Provisioner, RemoteService, RunAs, Services, WorkloadIdentity,
};
pub use pds_hostname_claim::{ClaimOwner, PdsHostnameClaim, PdsHostnameClaimSpec};
pub use pds_instance::{
    BlobStore, BlobStoreStatus, Cache, Database, DatabaseStatus, Deletion, DeletionPolicy, Email, External,
    HandleDomain, Identity, Invites, KeysStatus, Limits, Log, LogFormat, ModerationEmail, NeedsEmail, Network,
    NetworkPolicyMode, PdsInstance, PdsInstanceSpec, PdsInstanceStatus, PodSettings, Postgres, RESERVED_SUFFIXES,
    RateLimits, Resolved, S3Bucket, Sqlite, Toleration,
};
pub use quantity::Quantity;
pub use reason::Reason;
pub use reference::{NoSettings, SecretKey, SecretName};
