//! What a plan can ask for beside writing objects.

use std::collections::BTreeMap;

use operator_api::{PdsBucketClaimSpec, PdsHostnameClaim};
use operator_object_store::{Credential, Request};

use super::wanted::Store;

/// What a plan can ask for beside writing objects.
#[derive(Clone, Debug)]
pub enum Step {
    /// Claim domains, in this order, up to the first that cannot be had.
    Claim {
        /// Hostname and handle domains to claim.
        domains: Vec<String>,
        /// Domains of the class, if the class limits them: then no name above or below these may be another namespace's.
        limits: Option<Vec<String>>,
    },
    /// Free a claim of this instance.
    ReleaseClaim {
        /// The claim as it was seen.
        claim: Box<PdsHostnameClaim>,
    },
    /// Free the claim of a hostname if its holder is gone with its keys.
    FreeClaim {
        /// The domain whose claim is looked at.
        hostname: String,
    },
    /// Generate the keys and create their Secret.
    CreateKeys,
    /// Write annotations onto the Secret of the keys, so that they survive a lost status.
    AnnotateKeys {
        /// Only the Secret with this uid is written.
        uid: String,
        /// The annotations.
        annotations: BTreeMap<String, String>,
    },
    /// Generate the password of PostgreSQL and create its Secret.
    CreatePostgresSecret,
    /// Claim a bucket, so that it counts for its namespace.
    ClaimBucket {
        /// What the claim says.
        claim: Box<PdsBucketClaimSpec>,
        /// How many buckets the namespace may have. Nothing for a bucket that is in use: it is counted, however many there are.
        limit: Option<usize>,
    },
    /// Make the bucket, its user and the user's rights, and look whether they are as they should be.
    EnsureBucket {
        /// The service.
        store: Box<Store>,
        /// Bucket and owner.
        request: Box<Request>,
    },
    /// Look in another service for the bucket of this instance.
    FindBucket {
        /// The service.
        store: Box<Store>,
        /// Bucket and owner.
        request: Box<Request>,
    },
    /// Write the Secret with the credential of the bucket.
    WriteBucketSecret {
        /// The credential.
        credential: Credential,
        /// The uid of the instance's own Secret that is replaced.
        replaces: Option<String>,
    },
    /// Ask for a larger volume.
    GrowVolume {
        /// The PersistentVolumeClaim.
        name: String,
        /// Only the claim with this uid is changed.
        uid: String,
        /// The new size.
        size: String,
    },
}

impl Step {
    /// Whether the step asks the object store and nothing else.
    #[must_use]
    pub fn is_for_object_store(&self) -> bool {
        matches!(self, Self::EnsureBucket { .. } | Self::FindBucket { .. })
    }
}
