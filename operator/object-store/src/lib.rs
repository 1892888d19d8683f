//! Makes buckets and the credentials that reach them: one file a provider.
//!
//! Owns the names of buckets and users, the marker object that says whose a bucket is, the users and roles, the emptying of buckets and the text of
//! every error. Knows nothing of Kubernetes. Takes no name, key or secret from a tenant: everything is derived from the owner and the operator's seed,
//! so that what lies in a tenant's Secret is output only.

mod aws;
mod bucket;
mod bucket_owner;
mod claim;
mod empty;
mod error;
mod given;
mod limits;
mod marker;
mod naming;
mod owner;
mod request;
mod seed;
mod service;
mod versitygw;

use std::fmt::Debug;

use async_trait::async_trait;

pub use aws::{Aws, AwsSettings, WorkloadIdentity};
pub use error::{Error, Holder};
pub use given::Given;
pub use marker::{ADOPT_KEY, MARKER_KEY, Marker};
pub use naming::{bucket_name, is_of_same_instance, looks_derived};
pub use owner::Owner;
pub use request::Request;
pub use seed::Seed;
pub use service::{Credential, Service};
pub use versitygw::{Isolation, Versitygw};

/// How the pods of an instance reach their bucket.
#[derive(Clone, Debug)]
pub enum Access {
    /// With a key pair of a user that reaches this bucket only.
    Keys(Credential),
    /// With the identity of their service account, as this role. There are no keys.
    Role {
        /// ARN of the role.
        arn: String,
    },
}

/// What a deletion found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The bucket and everything in it are gone.
    Bucket,
    /// Some of its objects. The next call goes on.
    InPart,
    /// There was no bucket.
    NoBucket,
    /// The bucket is not this owner's and is untouched.
    LeftAlone(Holder),
}

/// Provides an owner with a bucket and with access to that bucket only.
#[async_trait]
pub trait Provisioner: Send + Sync + Debug {
    /// Makes bucket, user or role, and rights. Idempotent; a process that dies after any request leaves something that the next call completes.
    ///
    /// `kept` is the key pair that the instance's Secret holds now. A tenant can write it, so it serves only to recognise a key of the derived user.
    ///
    /// A bucket that has another owner, or none and something in it, is refused. It can be handed over by an object [`ADOPT_KEY`] in the bucket with the
    /// content `NAMESPACE/NAME`: tenants write the specifications of instances, so only somebody who reaches the bucket itself may decide this.
    async fn ensure(&self, request: &Request, kept: Option<&Credential>) -> Result<Access, Error>;
    /// Deletes the user or role, and the bucket with everything in it. What is not this owner's is left alone.
    async fn delete(&self, request: &Request) -> Result<Deleted, Error>;
    /// The owner of a bucket. `None`: there is no such bucket. `Some(None)`: the bucket has no marker.
    async fn owner(&self, bucket: &str) -> Result<Option<Option<Marker>>, Error>;
    /// Whether anything is left of what was made for an instance of `namespace`: its bucket, or its user or role. A bucket that names an owner of
    /// another namespace, or that has no marker and not the derived name, is somebody else's.
    async fn is_left(&self, bucket: &str, user: &str, namespace: &str) -> Result<bool, Error>;
}
