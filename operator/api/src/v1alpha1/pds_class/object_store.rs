//! The object store of a class.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::reference::NAME;
use super::super::rule;

/// The S3 service that holds the blobs of a class's instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rule::rule(
    "self.provisioner != 'Versitygw' || (has(self.endpoint) && has(self.adminSecretName))",
    "'spec.objectStore: provisioner Versitygw; needed with it: endpoint and adminSecretName'",
))]
#[x_kube(validation = rule::rule(
    "!has(self.isolation) || self.provisioner == 'Versitygw'",
    "'spec.objectStore.isolation: allowed only with the provisioner Versitygw'",
))]
pub struct ObjectStore {
    /// How an instance gets a bucket and a credential for it. It cannot be changed; make another class.
    #[x_kube(validation = rule::immutable("spec.objectStore.provisioner"))]
    pub provisioner: Provisioner,
    /// URL of the service as pods and the operator reach it. Absent with `Aws`: Amazon's own. With `Given`: the only endpoint that
    /// instances may name, any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.objectStore.endpoint"))]
    pub endpoint: Option<String>,
    /// Region for signing; `us-east-1` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Whether the bucket stands in the path instead of the host name; true if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Secret in the operator's namespace with the keys `accessKeyId` and `secretAccessKey` of an administrator. Instances never see
    /// it. Absent with `Aws`: the operator's own workload identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), pattern(NAME))]
    pub admin_secret_name: Option<String>,
    /// What the names of buckets and users begin with, so that clusters can share one service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), pattern("^[a-z0-9]([-a-z0-9]*)$"))]
    pub bucket_prefix: Option<String>,
    /// Whether an object store in which the user of one bucket can reach others is refused. The operator tries it in each new bucket of
    /// `Versitygw`. `Required` if absent. Buckets that have a user already are not tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Settings of the provisioner `Aws`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsStore>,
}

/// How an instance gets a bucket and a credential for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provisioner {
    /// Versity Gateway: a user per instance, and a bucket policy for that user only.
    Versitygw,
    /// Amazon: an IAM user or an IAM role per instance, which reaches one bucket.
    Aws,
    /// The instance brings bucket and credential in a Secret of its own namespace. For MinIO, R2, B2, GCS, Garage and the like.
    Given,
}

/// Whether the buckets of an object store have to be kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Isolation {
    /// An object store that lets the user of one bucket reach others is refused.
    Required,
    /// It is used all the same: all tenants of the object store trust each other.
    Waived,
}

/// Settings of the provisioner `Aws`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsStore {
    /// With it, instances get an IAM role that only their own service account may assume, and no keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
    /// URL of the IAM service; Amazon's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = rule::url("spec.objectStore.aws.iamEndpoint"))]
    pub iam_endpoint: Option<String>,
}

/// The OpenID Connect provider of the cluster's service accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIdentity {
    /// ARN of the provider in IAM.
    #[schemars(length(min = 1, max = 512))]
    pub oidc_provider_arn: String,
    /// Issuer of the tokens without `https://`, for example `oidc.eks.eu-west-1.amazonaws.com/id/ABC`.
    #[schemars(length(min = 1, max = 512))]
    pub issuer: String,
}
