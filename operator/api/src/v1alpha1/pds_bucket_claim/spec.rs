//! The spec of a `PdsBucketClaim`.

#![expect(clippy::duplicated_attributes, reason = "several columns have the same type")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::ClaimOwner;

/// Says that a bucket of the object store of a class counts for a namespace. Only the operator writes claims: one before it makes a bucket. A
/// claim stays as long as the bucket or its user exists, whatever becomes of the instance, so that what is left behind is counted against
/// `limits.bucketsPerNamespace` of the class. The name of the object is a hash of class, namespace and bucket.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "auroralocus.dev",
    version = "v1alpha1",
    kind = "PdsBucketClaim",
    plural = "pdsbucketclaims",
    shortname = "pdsbucket",
    doc = "Says that a bucket counts for a namespace. Only the operator writes claims.",
    printcolumn(name = "Bucket", type_ = "string", json_path = ".spec.bucket"),
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.className"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.owner.namespace"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.owner.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PdsBucketClaimSpec {
    /// The bucket.
    #[schemars(length(min = 3, max = 63))]
    pub bucket: String,
    /// The user or role that was to be made for the bucket. It has the name of the bucket unless the instance chose that.
    #[schemars(length(min = 3, max = 63))]
    pub user: String,
    /// The PdsClass whose object store holds the bucket.
    #[schemars(length(min = 1, max = 253))]
    pub class_name: String,
    /// URL of the object store when the bucket was claimed; Amazon's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub endpoint: Option<String>,
    /// The instance that the bucket was claimed for.
    pub owner: ClaimOwner,
}
