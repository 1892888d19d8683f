//! Buckets and credentials in the S3 service of a class.

mod bucket;
mod empty;
mod static_credentials;
mod versitygw;

use std::fmt::Debug;

use async_trait::async_trait;
use operator_api::{Provisioner as Kind, S3Class};
use secrecy::SecretString;

pub use bucket::Bucket;
pub use static_credentials::StaticCredentials;
pub use versitygw::Versitygw;

/// Keys of an S3 user.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretString,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket is there and belongs to something else.
    #[error("bucket {bucket} exists and is not tagged {}={owner}; give another name, or tag it", bucket::OWNER_TAG)]
    NotOwned {
        /// The bucket.
        bucket: String,
        /// Who should own it.
        owner: String,
    },
    /// The service refuses a credential.
    #[error("the S3 service refuses {what}: {message}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What the service says.
        message: String,
    },
    /// The service does not answer as it should; worth another try.
    #[error("{what}: {message}")]
    Service {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        message: String,
    },
}

/// Provides an instance with a bucket and a credential that reaches only that bucket.
#[async_trait]
pub trait Provisioner: Send + Sync + Debug {
    /// The credential that an instance should have, if it has none: made once, then kept in its Secret.
    fn new_credential(&self, bucket: &str) -> Credential;
    /// Whether a credential that was kept may still be used.
    fn accepts(&self, kept: &Credential) -> bool;
    /// Makes the bucket, unless it is there and owned.
    async fn ensure_bucket(&self, bucket: &str, owner: &str) -> Result<(), Error>;
    /// Makes the credential work.
    async fn ensure_credential(&self, bucket: &str, credential: &Credential) -> Result<(), Error>;
    /// Lets the credential, and no other user, into the bucket.
    async fn ensure_policy(&self, bucket: &str, credential: &Credential) -> Result<(), Error>;
    /// Deletes an owned bucket with everything in it, and its credential. A bucket of somebody else stays as it is.
    async fn delete(&self, bucket: &str, owner: &str) -> Result<(), Error>;
}

/// The provisioner of a class.
#[must_use]
pub fn of_class(class: &S3Class, admin: Credential) -> Box<dyn Provisioner> {
    let bucket = Bucket::new(class, &admin);
    match class.provisioner {
        Kind::Versitygw => Box::new(Versitygw::new(class, admin, bucket)),
        Kind::Static => Box::new(StaticCredentials::new(admin, bucket)),
    }
}
