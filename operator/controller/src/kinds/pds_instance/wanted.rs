//! What an instance asks for, with nothing left open.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use operator_api::{
    ConditionType, Deletion, DeletionPolicy, KmsKey, MailTemplate, ObjectStore, OwnPods, PdsClass, PdsInstance,
    PodSettings, Provisioner, Reason, RecordRules,
};
use operator_object_store::Service;
use operator_runtime::ownership::Owner;

use super::verdict::Verdict;

/// A validated spec with all defaults filled in.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the instance; the names of its objects begin with it.
    pub instance: String,
    /// Makes children go with the instance, and tells them from others.
    pub owner: Owner,
    /// The class in use.
    pub class: Arc<PdsClass>,
    /// Image of the PDS.
    pub image: String,
    /// Pods of the PDS.
    pub replicas: i32,
    /// The engine of the database, with its volume or its Secret.
    pub database: Database,
    /// Where blobs are.
    pub blobs: Blobs,
    /// Everything the server reads from its environment, other than secrets.
    pub settings: BTreeMap<&'static str, String>,
    /// Templates of mails.
    pub templates: Vec<MailTemplate>,
    /// The PLC rotation key, if it is in AWS KMS.
    pub kms: Option<KmsKey>,
    /// Rules for records.
    pub records: Option<RecordRules>,
    /// The public address.
    pub url: String,
    /// Secret with the certificate.
    pub tls: Option<String>,
    /// Which connections pods may make and take; nothing without NetworkPolicies.
    pub network: Option<NetworkRules>,
    /// Placement and resources of the pods.
    pub pod: PodSettings,
    /// Whether the platform chooses the user id of processes.
    pub platform_chooses_user: bool,
    /// Whether the volume keeps its size although the spec asks for more, because the class allows no more.
    pub volume_is_limited: bool,
    /// What the spec asks for and does not get, while everything else goes on.
    pub complaints: Vec<(ConditionType, Verdict)>,
}

impl Wanted {
    /// The namespace of the instance and of all its objects.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.owner.namespace
    }

    /// Whether the instance runs a PostgreSQL of its own.
    #[must_use]
    pub fn has_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres { .. })
    }

    /// Whether the pods reach their bucket with a role of their service account instead of keys.
    #[must_use]
    pub fn uses_role(&self) -> bool {
        let Blobs::Provisioned { store, .. } = &self.blobs else { return false };
        let gives_roles = store.class.aws.as_ref().is_some_and(|aws| aws.workload_identity.is_some());
        store.class.provisioner == Provisioner::Aws && gives_roles
    }

    /// The role of the pods that the spec names.
    #[must_use]
    pub fn own_role(&self) -> Option<&str> {
        self.kms.as_ref()?.role_arn.as_deref()
    }

    /// Whether the database is SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(self.database, Database::Sqlite { .. })
    }
}

/// The database, with nothing left open.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// A server of its own.
    Postgres {
        /// Its image.
        image: String,
        /// Its volume.
        volume: Claim,
        /// CPU and memory of its container.
        resources: Option<k8s_openapi::api::core::v1::ResourceRequirements>,
    },
    /// A database that exists.
    External {
        /// The Secret with its URL.
        secret: String,
        /// The key in that Secret.
        key: String,
    },
    /// SQLite on a volume of the instance.
    Sqlite {
        /// Its volume.
        volume: Claim,
    },
}

impl Database {
    /// The volume, if the operator asks for one.
    #[must_use]
    pub fn volume(&self) -> Option<&Claim> {
        match self {
            Self::Postgres { volume, .. } | Self::Sqlite { volume } => Some(volume),
            Self::External { .. } => None,
        }
    }
}

/// A volume for data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The size.
    pub size: String,
    /// Whether the spec says the size, so that it means something for a volume that exists.
    pub size_is_given: bool,
    /// The storage class; the cluster's default if absent.
    pub storage_class_name: Option<String>,
}

/// Where blobs are, with nothing left open.
#[derive(Clone, Debug)]
pub enum Blobs {
    /// The volume of SQLite.
    Disk,
    /// A bucket that the operator makes.
    Provisioned {
        /// Its name.
        bucket: String,
        /// What the spec or an earlier state says the name is, if it does not follow from the names of namespace and instance.
        given_name: Option<String>,
        /// The service in use.
        store: Box<Store>,
        /// The service that the class names now, if it is another one than the bucket is in.
        proposed: Option<Box<Store>>,
    },
    /// A bucket that the instance brings.
    Given {
        /// The Secret with bucket and credential.
        secret: String,
        /// The bucket.
        bucket: String,
        /// The service.
        service: Service,
    },
}

/// The object store of a class.
#[derive(Clone, Debug)]
pub struct Store {
    /// What the class says.
    pub class: ObjectStore,
    /// How the service is reached.
    pub service: Service,
}

/// Whether two endpoints of S3 services are the same address, however they are written. Without an endpoint it is Amazon's.
pub(super) fn same_endpoint(one: Option<&str>, other: Option<&str>) -> bool {
    let parsed = |text: &str| reqwest::Url::parse(text.trim_end_matches('/')).ok();
    one == other
        || matches!((one, other), (Some(one), Some(other)) if parsed(one).is_some() && parsed(one) == parsed(other))
}

impl Store {
    pub(super) fn of(class: &PdsClass, store: &ObjectStore) -> Self {
        let service = Service {
            endpoint: store.endpoint.clone(),
            region: store.region.clone().unwrap_or_else(|| "us-east-1".into()),
            path_style: store.path_style.unwrap_or(true),
            ca_bundle: class.spec.ca_bundle.clone(),
        };
        Self { class: store.clone(), service }
    }
}

/// Which connections pods may make beside those that every PDS needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkRules {
    /// Whether pods may reach private networks.
    pub private: bool,
    /// Networks of the class's `outboundAllow`.
    pub networks: Vec<String>,
    /// Peers of the class's `allowed.egressTo`.
    pub peers: Vec<NetworkPolicyPeer>,
    /// Pods of the instance's own namespace.
    pub own_pods: Vec<OwnPods>,
}

/// What is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For conditions and events.
    pub reason: Reason,
    /// Field, value and what is allowed.
    pub message: String,
}

/// Which kinds of data are deleted with an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletes {
    /// The volume of the database, and its password.
    pub database: bool,
    /// The bucket, and its credential.
    pub blobs: bool,
    /// The Secret with the keys.
    pub keys: bool,
}

impl Deletes {
    /// What a policy says; everything is retained where it says nothing.
    #[must_use]
    pub fn of(policy: Option<&DeletionPolicy>) -> Self {
        let policy = policy.cloned().unwrap_or_default();
        let delete = |choice: Option<Deletion>| choice == Some(Deletion::Delete);
        Self { database: delete(policy.database), blobs: delete(policy.blobs), keys: delete(policy.keys) }
    }

    /// Whether at least one kind of data is deleted. The instance needs the finalizer then.
    #[must_use]
    pub fn any(self) -> bool {
        self.database || self.blobs || self.keys
    }
}

/// Whether the database is SQLite, and whether it is one that exists.
pub(super) fn engine(pds: &PdsInstance) -> (bool, bool) {
    let database = pds.spec.database.as_ref();
    let sqlite = database.is_some_and(|database| database.sqlite.is_some());
    (sqlite, database.is_some_and(|database| database.external.is_some()))
}

/// Whether the blobs are in a bucket.
#[must_use]
pub fn in_bucket(pds: &PdsInstance) -> bool {
    match &pds.spec.blob_store {
        Some(wanted) => wanted.disk.is_none(),
        None => !engine(pds).0,
    }
}

#[cfg(test)]
mod tests {
    use super::same_endpoint;

    #[test]
    fn an_endpoint_can_be_written_in_several_ways() {
        let same = |one, other| same_endpoint(Some(one), Some(other));
        assert!(same("https://s3.test", "https://S3.test:443/") && same("http://s3.test:80/a/", "http://s3.test/a"));
        assert!(!same("https://s3.test", "http://s3.test") && !same("https://s3.test", "https://s3.test/a"));
        assert!(same_endpoint(None, None) && !same_endpoint(None, Some("https://s3.test")));
    }
}
