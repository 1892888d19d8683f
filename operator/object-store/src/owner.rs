//! Whose a bucket is.

use std::fmt;

/// Whose a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Name of the cluster; for people.
    pub cluster: String,
    /// Namespace of the instance.
    pub namespace: String,
    /// Name of the instance.
    pub name: String,
    /// Fingerprint of the instance's keys. This is the identity: an instance with the same keys on a new cluster is the same owner.
    pub fingerprint: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}
