//! `PdsInstance`: one PDS with its database, blobs and keys.

mod pod;
mod rules;
mod spec;
mod status;

pub use pod::{PodSettings, Toleration};
pub use rules::RESERVED_SUFFIXES;
pub use spec::{
    BlobStore, Database, Deletion, DeletionPolicy, External, HandleDomain, Identity, Invites, Limits, Network,
    NetworkPolicyMode, PdsInstance, PdsInstanceSpec, Postgres, RateLimits, S3Bucket, Sqlite,
};
pub use status::{BlobStoreStatus, DatabaseStatus, KeysStatus, PdsInstanceStatus, Resolved};
