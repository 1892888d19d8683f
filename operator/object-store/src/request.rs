//! The request for a bucket: owner, names and seed.

use crate::{Credential, Owner, Seed, bucket_name};

/// A bucket for an owner.
#[derive(Clone, Debug)]
pub struct Request {
    /// The instance that the bucket is for.
    pub owner: Owner,
    /// Begins the names of bucket, user and role. The platform sets it. With another prefix a bucket that is named below gets another user, and the
    /// user of before is deleted.
    pub prefix: Option<String>,
    /// The bucket, if it has a name of its own. `None` derives the name; a name equal to the derived one is the same as `None`.
    pub bucket: Option<String>,
    /// Whether the bucket holds the owner's blobs already. Then it is not made anew where it is missing: an empty one would hide the loss.
    pub is_in_use: bool,
    /// The secret of the operator.
    pub seed: Seed,
    /// Service account of the pods, `system:serviceaccount:NAMESPACE:NAME`. Read only with workload identity.
    pub service_account: Option<String>,
}

impl Request {
    /// The name of the user or role: derived from prefix, namespace and name, never chosen.
    #[must_use]
    pub fn user(&self) -> String {
        bucket_name(self.prefix.as_deref(), &self.owner.namespace, &self.owner.name)
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> String {
        self.bucket.clone().unwrap_or_else(|| self.user())
    }

    /// Whether the bucket's name is the derived one, which no other instance has.
    #[must_use]
    pub fn bucket_is_derived(&self) -> bool {
        self.bucket() == self.user()
    }

    /// The derived key pair of a user of the bucket.
    pub(crate) fn credential(&self, user: &str) -> Credential {
        self.credential_of(user, Some(&self.owner.fingerprint))
    }

    /// The same for an instance whose keys had another fingerprint; without one, as releases before derived it.
    pub(crate) fn credential_of(&self, user: &str, fingerprint: Option<&str>) -> Credential {
        Credential {
            access_key_id: user.to_owned(),
            secret_access_key: self.seed.secret_access_key(user, &self.bucket(), fingerprint),
        }
    }
}
