//! The status of a `PdsInstance`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PdsInstanceStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The generation of the spec that the pods follow: the operator compared them with it and wrote what differed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled` and one per part of the instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The public address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The class in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The version that the image names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The image of the PDS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest that the node resolved the image to when the schema was migrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Pods that should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Pods that serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Accounts, as a pod last counted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<i64>,
    /// The database in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseStatus>,
    /// Where the blobs are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_store: Option<BlobStoreStatus>,
    /// The keys that cannot be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysStatus>,
    /// What the instance took from its class when it came to be. An edit of the class does not change it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
}

/// What an instance took from its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// Major version of PostgreSQL that made the data directory, as PostgreSQL reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_major: Option<i32>,
    /// URL of the S3 service that holds the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_store_endpoint: Option<String>,
    /// Name of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

/// The database in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// `Postgres`, `External` or `Sqlite`.
    pub engine: String,
    /// The Secret with the URL, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Version of the PostgreSQL server, as it reported it to the last migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Where the blobs are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlobStoreStatus {
    /// The bucket, unless blobs are on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

/// The keys in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysStatus {
    /// The Secret that holds them.
    pub secret_name: String,
    /// A digest of the two keys that data depends on: the PLC rotation key and the key encryption key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}
