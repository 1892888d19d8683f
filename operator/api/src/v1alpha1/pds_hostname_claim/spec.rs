//! The spec of a `PdsHostnameClaim`.

#![expect(clippy::duplicated_attributes, reason = "several columns have the same type")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says which instance holds a hostname. Only the operator writes claims. The name of the object is a hash of the hostname, so the
/// API server itself sees to it that a hostname has one holder. A claim ends with the keys of its instance; delete it by hand to free
/// a hostname whose data is kept.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "auroralocus.dev",
    version = "v1alpha1",
    kind = "PdsHostnameClaim",
    plural = "pdshostnameclaims",
    shortname = "pdsclaim",
    doc = "Says which instance holds a hostname. Only the operator writes claims.",
    printcolumn(name = "Hostname", type_ = "string", json_path = ".spec.hostname"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".spec.owner.namespace"),
    printcolumn(name = "Instance", type_ = "string", json_path = ".spec.owner.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PdsHostnameClaimSpec {
    /// The hostname.
    #[schemars(length(min = 1, max = 253))]
    pub hostname: String,
    /// The instance that holds it.
    pub owner: ClaimOwner,
}

/// The instance that holds a hostname.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimOwner {
    /// Namespace of the instance.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Name of the instance.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// UID of the instance when it was last seen.
    #[schemars(length(max = 64))]
    pub uid: String,
}
