//! `PdsInstance`: one PDS with its database, blobs and keys.

mod pod;
mod rules;
mod service;
mod spec;
mod status;

pub use pod::{PodSettings, Toleration};
pub use rules::RESERVED_SUFFIXES;
pub use service::{Cache, Email, Identity, Invites, Limits, Log, LogFormat, ModerationEmail, NeedsEmail, RateLimits};
pub use spec::{
    BlobStore, Database, Deletion, DeletionPolicy, External, HandleDomain, Network, NetworkPolicyMode, PdsInstance,
    PdsInstanceSpec, Postgres, S3Bucket, Sqlite,
};
pub use status::{BlobStoreStatus, DatabaseStatus, KeysStatus, PdsInstanceStatus, Resolved};
