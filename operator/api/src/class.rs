//! `PdsClass`: what the platform owns and every instance of the class uses.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule;

/// What the people who run the cluster provide to every PDS of this class.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "auroralocus.dev",
    version = "v1alpha1",
    kind = "PdsClass",
    plural = "pdsclasses",
    shortname = "pdsclass",
    doc = "What the people who run the cluster provide to every PDS of this class.",
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "S3", type_ = "string", json_path = ".spec.s3.endpoint"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PdsClassSpec {
    /// Whether instances without `className` use this class. At most one class should say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Container images, unless an instance names its own.
    pub images: Images,
    /// The PLC directory, for example `https://plc.directory`.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.plcUrl"))]
    pub plc_url: String,
    /// The S3 service that holds the blobs. Without it, instances of this class need `blobStore.disk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Class>,
    /// What instances of the class may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ClassLimits>,
    /// Private destinations that a PDS may reach: networks such as `10.96.0.0/12`, or hosts such as `.pds.test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)))]
    pub outbound_allow: Option<Vec<String>>,
}

/// Container images of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// The image of the PDS; its entry point is the `pds` binary.
    #[schemars(length(min = 1, max = 512))]
    pub pds: String,
    /// An image with `sh`, `initdb`, `postgres`, `psql` and `pg_isready` in its `PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub postgres: Option<String>,
}

/// The S3 service of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Class {
    /// URL of the service as pods and the operator reach it.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.s3.endpoint"))]
    pub endpoint: String,
    /// Region for signing; `us-east-1` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; yes if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Secret in the operator's namespace with the keys `accessKeyId` and `secretAccessKey`.
    #[schemars(length(min = 1, max = 253))]
    pub admin_secret_name: String,
    /// How an instance gets a credential.
    pub provisioner: Provisioner,
}

/// How an instance gets a credential for its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provisioner {
    /// A user of its own in Versity Gateway, and a bucket policy for that user only.
    Versitygw,
    /// The credential of the class itself; the service offers no way to make users.
    Static,
}

/// What instances of a class may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassLimits {
    /// The largest `replicas` of an instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: Option<i32>,
}
