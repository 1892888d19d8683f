//! For services without users of their own: every instance uses the credential of the class.

use async_trait::async_trait;
use secrecy::ExposeSecret;

use super::{Bucket, Credential, Error, Provisioner};

/// Hands out the credential of the class.
#[derive(Debug)]
pub struct StaticCredentials {
    admin: Credential,
    bucket: Bucket,
}

impl StaticCredentials {
    pub(super) fn new(admin: Credential, bucket: Bucket) -> Self {
        Self { admin, bucket }
    }
}

#[async_trait]
impl Provisioner for StaticCredentials {
    fn new_credential(&self, _bucket: &str) -> Credential {
        self.admin.clone()
    }

    /// Only what the class says now.
    fn accepts(&self, kept: &Credential) -> bool {
        kept.access_key_id == self.admin.access_key_id
            && kept.secret_access_key.expose_secret() == self.admin.secret_access_key.expose_secret()
    }

    async fn ensure_bucket(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        self.bucket.ensure(bucket, owner).await
    }

    async fn ensure_credential(&self, _bucket: &str, _credential: &Credential) -> Result<(), Error> {
        Ok(())
    }

    async fn ensure_policy(&self, _bucket: &str, _credential: &Credential) -> Result<(), Error> {
        Ok(())
    }

    async fn delete(&self, bucket: &str, owner: &str) -> Result<(), Error> {
        self.bucket.delete(bucket, owner).await.map(drop)
    }
}
