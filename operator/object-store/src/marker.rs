//! The object in a bucket that says whose the bucket is.
//!
//! An object and not a tag: several services have no tags. Buckets hold what others wrote, so everything read here is bounded and is never trusted beyond
//! the question who owns this bucket.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Owner;
use crate::limits::one_line;

/// Objects below are the operator's; the user of the bucket may read them only.
pub(crate) const FOLDER: &str = ".aurora-locus/";
/// The key of the marker.
pub const MARKER_KEY: &str = ".aurora-locus/owner.json";
/// The key of the object that hands a bucket over: its content is `NAMESPACE/NAME` of the new owner.
pub const ADOPT_KEY: &str = ".aurora-locus/adopt";
/// How much is read of an object.
pub(crate) const MOST_BYTES: usize = 64 << 10;

const VERSION: u32 = 1;

/// Whose a bucket is, as the bucket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this format.
    pub version: u32,
    /// Name of the cluster.
    pub cluster: String,
    /// Namespace of the instance.
    pub namespace: String,
    /// Name of the instance.
    pub name: String,
    /// Fingerprint of the instance's keys; this alone decides.
    pub fingerprint: String,
    /// The user or role that was made for the bucket. Absent until it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The fingerprint before the bucket was handed over, until its user has another secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// When the marker was first written, in RFC 3339.
    pub created: String,
}

impl Marker {
    /// A marker of now.
    pub(crate) fn new(owner: &Owner) -> Self {
        Self {
            version: VERSION,
            cluster: owner.cluster.clone(),
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            fingerprint: owner.fingerprint.clone(),
            user: None,
            formerly: None,
            created: jiff::Timestamp::now().to_string(),
        }
    }

    /// `None` if it is not a marker of this version.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|marker| marker.version == VERSION)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("strings are JSON")
    }

    /// An empty fingerprint is nobody's.
    pub(crate) fn is_of(&self, owner: &Owner) -> bool {
        !owner.fingerprint.is_empty() && self.fingerprint == owner.fingerprint
    }

    /// The user that was recorded, if it has another name: the prefix of names has changed.
    pub(crate) fn other_user(&self, user: &str) -> Option<&str> {
        self.user.as_deref().filter(|recorded| *recorded != user)
    }

    /// Where the owner lives now.
    pub(crate) fn moved_to(&self, owner: &Owner) -> Self {
        let (user, formerly, created) = (self.user.clone(), self.formerly.clone(), self.created.clone());
        Self { user, formerly, created, ..Self::new(owner) }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", one_line(&self.cluster), one_line(&self.namespace), one_line(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(fingerprint: &str) -> Owner {
        let [cluster, namespace, name] = ["c", "n", "i"].map(String::from);
        Owner { cluster, namespace, name, fingerprint: fingerprint.into() }
    }

    #[test]
    fn a_marker_survives_and_knows_its_owner() {
        let marker = Marker::new(&owner("f"));
        assert_eq!(Marker::parse(&marker.to_bytes()), Some(marker.clone()));
        assert!(marker.is_of(&owner("f")) && !marker.is_of(&owner("g")));
        assert!(!Marker::new(&owner("")).is_of(&owner("")), "an empty fingerprint is nobody's");
    }

    #[test]
    fn what_is_no_marker_is_none() {
        let later = r#"{"version":2,"cluster":"c","namespace":"n","name":"i","fingerprint":"f","created":""}"#;
        for bytes in [&b""[..], b"{}", b"\xff", later.as_bytes()] {
            assert_eq!(Marker::parse(bytes), None);
        }
    }
}
