//! What was seen of an instance at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ObjectMeta;
use operator_api::{PdsBucketClaim, PdsClass, PdsHostnameClaim};
use operator_object_store::{Access, Seed};
use operator_runtime::child::Children;
use operator_runtime::secret::Content;

use super::verdict::Verdict;
use crate::scrape::Scrape;

/// Objects, references and answers that one reconciliation works with. Nothing in it changes during the reconciliation.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The class, or why there is none.
    pub class: ClassFound,
    /// Labels of the namespace of the instance.
    pub namespace_labels: BTreeMap<String, String>,
    /// The claims of the domains that the instance asks for, by domain.
    pub claims: BTreeMap<String, Arc<PdsHostnameClaim>>,
    /// Domains that the instance holds and asks for no more.
    pub needless_claims: Vec<Arc<PdsHostnameClaim>>,
    /// Claims of domains above those of the instance, held by other namespaces, by the domain of the instance. Empty where the class does
    /// not limit domains.
    pub claims_above: BTreeMap<String, Arc<PdsHostnameClaim>>,
    /// Domains of the spec that the instance does not hold and below which an instance of another namespace holds one, with its claim.
    pub claims_below: BTreeMap<String, Arc<PdsHostnameClaim>>,
    /// The claims of buckets that count for the namespace and the class of the instance.
    pub bucket_claims: Vec<Arc<PdsBucketClaim>>,
    /// The administrator's credential of the class's object store.
    pub admin: Option<Arc<Content>>,
    /// The namespace of the operator.
    pub operator_namespace: String,
    /// What secrets of S3 users are derived from.
    pub seed: Seed,
    /// What names this cluster in a bucket's marker.
    pub cluster: String,
    /// The Secret `NAME-keys`.
    pub keys: Option<Arc<Content>>,
    /// The password of PostgreSQL.
    pub postgres_secret: Option<Arc<Content>>,
    /// The credential of the bucket.
    pub s3_secret: Option<Arc<Content>>,
    /// Bucket and credential that the instance brings.
    pub given: Option<Arc<Content>>,
    /// The Secrets that the spec names.
    pub references: References,
    /// The volume of the database.
    pub volume: Option<PersistentVolumeClaim>,
    /// Whether the storage class of the volume allows it to grow.
    pub volume_can_grow: bool,
    /// The objects of the instance.
    pub children: Children,
    /// Messages of the Events `FailedCreate`, by the uid of the StatefulSet or Job whose pod was refused.
    pub refusals: BTreeMap<String, String>,
    /// What was last seen of the bucket.
    pub bucket: Option<BucketState>,
    /// What a pod last told.
    pub scrape: Option<Scrape>,
    /// The time of the observation.
    pub now: Timestamp,
}

/// What was last seen of a bucket.
#[derive(Clone, Debug)]
pub struct BucketState {
    /// What was asked; another question needs another look.
    pub question: String,
    /// What was seen.
    pub seen: Seen,
    /// How long ago.
    pub age: Duration,
}

/// What was seen of a bucket.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The bucket is as it should be, and pods reach it so.
    Granted(Access),
    /// The bucket of this instance is in the service that was asked about.
    Owned,
    /// It is not.
    Elsewhere,
    /// It could not be made or looked at.
    Failed(Verdict),
}

impl Observed {
    /// How pods reach the bucket.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        match &self.bucket.as_ref()?.seen {
            Seen::Granted(access) => Some(access),
            _ => None,
        }
    }

    /// The message of the last `FailedCreate` Event about an object.
    #[must_use]
    pub fn refused(&self, metadata: &ObjectMeta) -> Option<&str> {
        self.refusals.get(metadata.uid.as_deref()?).map(String::as_str)
    }
}

/// The Secrets that a spec names.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// The one with the URL of the database.
    pub database: Option<Arc<Content>>,
    /// The one with the certificate.
    pub tls: Option<Arc<Content>>,
    /// Those with the URLs of services beside the database, by field.
    pub services: BTreeMap<&'static str, Arc<Content>>,
    pub(super) problems: BTreeMap<&'static str, Verdict>,
}

impl References {
    /// What is wrong with the Secret that a field names.
    #[must_use]
    pub fn problem(&self, field: &str) -> Option<Verdict> {
        self.problems.get(field).cloned()
    }
}

/// The class of an instance.
#[derive(Clone, Debug, Default)]
pub enum ClassFound {
    /// No class exists, or none is the default.
    #[default]
    None,
    /// Several are the default.
    Ambiguous(Vec<String>),
    /// The class that the instance names, or the only default.
    Found(Arc<PdsClass>),
}
