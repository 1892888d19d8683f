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
    Allowed, AwsStore, ClassLimits, Defaults, Images, Isolation, Lookups, ObjectStore, PdsClass, PdsClassSpec,
    Placement, Provisioner, Proxying, RemoteService, RunAs, Services, WorkloadIdentity,
};
pub use pds_hostname_claim::{ClaimOwner, PdsHostnameClaim, PdsHostnameClaimSpec};
pub use pds_instance::{
    BlobStore, BlobStoreStatus, Cache, Database, DatabaseStatus, Deletion, DeletionPolicy, Email, External,
    HandleDomain, Identity, Invites, Jobs, Keys, KeysStatus, KmsKey, Limits, Log, LogFormat, LogSample, MailKind,
    MailTemplate, ModerationEmail, NeedsEmail, Network, NetworkPolicyMode, OwnPods, PdsInstance, PdsInstanceSpec,
    PdsInstanceStatus, PodSettings, Postgres, RESERVED_SUFFIXES, Rate, RateLimits, RecordRules, Resolved, S3Bucket,
    Sampler, Sqlite, Toleration, Traces,
};
pub use quantity::{Interval, Lease, Quantity};
pub use reason::Reason;
pub use reference::{NoSettings, SecretKey, SecretName};
