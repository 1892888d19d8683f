//! The spec of a `PdsInstance`.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::reference::NAME;
use super::super::{NoSettings, Quantity, SecretKey, SecretName};
use super::super::{quantity, rule};
use super::{
    Cache, Email, Identity, Jobs, Keys, Limits, Log, Network, PdsInstanceStatus, PodSettings, RecordRules, Traces,
    rules,
};
use crate::v1alpha1::Services;
use k8s_openapi::api::core::v1::ResourceRequirements;

/// One AT Protocol Personal Data Server with its database, blobs and keys.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "auroralocus.dev",
    version = "v1alpha1",
    kind = "PdsInstance",
    plural = "pdsinstances",
    namespaced,
    shortname = "pds",
    status = "PdsInstanceStatus",
    doc = "One AT Protocol Personal Data Server with its database, blobs and keys.",
    validation = rules::name_length(),
    validation = rules::name_letters(),
    validation = rules::name_suffix(),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Accounts", type_ = "integer", json_path = ".status.accounts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = rules::disk_needs_sqlite())]
#[x_kube(validation = rules::sqlite_is_one_pod())]
#[x_kube(validation = rules::same_class())]
#[x_kube(validation = rules::same_engine())]
#[x_kube(validation = rules::same_blob_store())]
#[x_kube(validation = rules::same_bucket())]
#[x_kube(validation = rules::same_rotation_key())]
pub struct PdsInstanceSpec {
    /// The `PdsClass` to use; if absent, the class marked as default. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), pattern(NAME))]
    pub class_name: Option<String>,
    /// The public host name, which stands in every account's identity document. `localhost` is for trying out: plain HTTP, reached by
    /// forwarding port 2583, with handles below `.test`. Immutable.
    #[schemars(
        length(min = 1, max = 253),
        pattern("^(localhost|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+)$")
    )]
    #[x_kube(validation = rule::immutable("spec.hostname"))]
    pub hostname: String,
    /// Domains under which accounts may take handles; if absent, the host name. The class says which domains are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub handle_domains: Option<Vec<HandleDomain>>,
    /// The image of the PDS; if absent, that of the class. The class says which repositories are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Pods that serve; 2 if absent, 1 with `database.sqlite`. 0 stops the PDS and keeps its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: Option<i32>,
    /// The database; if absent, a PostgreSQL of its own. The kind is immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// Where blobs are kept; if absent, a bucket of its own, or disk with `database.sqlite`. The kind is immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_store: Option<BlobStore>,
    /// Where the keys are that the data depends on; if absent, in the Secret `NAME-keys`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Invitations, and the contact and documents of the host that the server names to clients. A field that is absent is as in `defaults` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Limits for users. A field that is absent is as in `defaults` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Rules for the records that the PDS accepts. A field that is absent is as in `defaults` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordRules>,
    /// How mail is sent to users; if absent, as `defaults` of the class says, and none is sent if it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// A Redis server; if absent, that of `defaults` of the class. Without one each pod counts requests for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// The services of the network, where the class lets instances choose them. A field that is absent is as in `services` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
    /// When the background jobs run. A field that is absent is as in `defaults` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Jobs>,
    /// What the pods write to their logs. A field that is absent is as in `defaults` of the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// Where the pods send traces. A field that is absent is as in `defaults` of the class; without an endpoint none are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<Traces>,
    /// The certificate with which the PDS itself serves HTTPS; if absent, it serves plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<SecretName>,
    /// Which network connections the pods accept and make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What happens to data when the instance is deleted; everything is retained if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether the operator leaves everything as it is, other than the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// The pods of the PDS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSettings>,
}

/// A domain under which accounts may take handles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HandleDomain {
    /// The domain, without a leading dot.
    #[schemars(
        length(min = 1, max = 253),
        pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$")
    )]
    pub domain: String,
}

/// The database: exactly one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::one_of("spec.database", &["postgres", "external", "sqlite"]))]
pub struct Database {
    /// A PostgreSQL server of its own, run by the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Postgres>,
    /// A PostgreSQL database that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// SQLite on a volume; for one replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<Sqlite>,
}

/// A PostgreSQL database that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// The key of a Secret that holds the `postgres://` URL.
    pub uri_secret: SecretKey,
}

/// A PostgreSQL server of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// Size of the volume, for example `10Gi`; 10Gi if absent. It can grow where the storage class allows it, and never shrinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
    /// The storage class; the cluster's default if absent. Fixed once the volume exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), pattern(NAME))]
    pub storage_class_name: Option<String>,
    /// CPU and memory of the PostgreSQL container; requests of 50m and 128Mi if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "quantity::resources")]
    pub resources: Option<ResourceRequirements>,
}

/// SQLite on a volume, in the pod of the PDS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sqlite {
    /// Size of the volume, for example `10Gi`; 10Gi if absent. It can grow where the storage class allows it, and never shrinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
    /// The storage class; the cluster's default if absent. Fixed once the volume exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), pattern(NAME))]
    pub storage_class_name: Option<String>,
}

/// Where blobs are kept: exactly one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::one_of("spec.blobStore", &["s3", "disk"]))]
pub struct BlobStore {
    /// A bucket in the object store of the class, or one that the instance brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Bucket>,
    /// The volume of the SQLite database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<NoSettings>,
}

/// A bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Bucket {
    /// Name of the bucket, where the class lets instances choose it; derived from namespace and name if absent. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 63), pattern("^[a-z0-9][-a-z0-9]*[a-z0-9]$"))]
    pub bucket: Option<String>,
    /// Secret with the keys `bucket`, `endpoint`, `region`, `accessKeyId` and `secretAccessKey`, for a class whose provisioner is
    /// `Given`. Nothing is created in the S3 service, and nothing is deleted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), pattern(NAME))]
    pub secret_name: Option<String>,
}

/// What happens to data when the instance is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionPolicy {
    /// The volume of the database, and its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Deletion>,
    /// The bucket, and its credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blobs: Option<Deletion>,
    /// The Secret with the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Deletion>,
}

/// Whether something outlives its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Deletion {
    /// It stays, and an instance with the same name takes it over.
    Retain,
    /// It is deleted.
    Delete,
}
