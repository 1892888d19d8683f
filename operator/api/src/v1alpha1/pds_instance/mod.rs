//! `PdsInstance`: one PDS with its database, blobs and keys.

mod jobs;
mod keys;
mod limits;
mod mail_template;
mod network;
mod pod;
mod records;
mod rules;
mod service;
mod spec;
mod status;
mod telemetry;

pub use jobs::Jobs;
pub use keys::{Keys, KmsKey};
pub use limits::{Limits, Rate, RateLimits};
pub use mail_template::{MailKind, MailTemplate};
pub use network::{Network, NetworkPolicyMode, OwnPods};
pub use pod::{PodSettings, Toleration};
pub use records::RecordRules;
pub use rules::RESERVED_SUFFIXES;
pub use service::{Cache, Email, Identity, Invites, ModerationEmail, NeedsEmail};
pub use spec::{
    BlobStore, Database, Deletion, DeletionPolicy, External, HandleDomain, PdsInstance, PdsInstanceSpec, Postgres,
    S3Bucket, Sqlite,
};
pub use status::{BlobStoreStatus, DatabaseStatus, KeysStatus, PdsInstanceStatus, Resolved};
pub use telemetry::{Log, LogFormat, LogSample, Sampler, Traces};
