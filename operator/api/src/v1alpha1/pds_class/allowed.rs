//! What a class allows its instances beyond their own namespace. Closed where nothing is said.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a class allows its instances beyond their own namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allowed {
    /// Namespaces whose instances may use the class, by their labels; every namespace if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    /// Images that `spec.image` may name: a repository (`registry/pds`), all below a path (`registry/team/*`), or one digest
    /// (`registry/pds@sha256:...`). If absent, the repository of `images.pds` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 512)))]
    pub image_repositories: Option<Vec<String>>,
    /// Labels that a Secret must carry for a spec to name it; every Secret of the instance's namespace if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16))]
    pub secret_labels: Option<BTreeMap<String, String>>,
    /// Where pods may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Whether `spec.network.policy: Off` is allowed; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_off: Option<bool>,
    /// Whether pods may reach private networks (RFC 1918, RFC 4193, RFC 6598); false if absent. Link-local and metadata addresses
    /// stay closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_egress: Option<bool>,
    /// Further destinations of the pods, in the form of a NetworkPolicy's peers: the S3 service and the PLC directory where they run in
    /// the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub egress_to: Option<Vec<NetworkPolicyPeer>>,
    /// Whether instances may have their PLC rotation key in AWS KMS, and name an IAM role for it; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms: Option<bool>,
    /// Whether instances may name their app view, moderation service, service for reports and relays in `spec.services`; false if absent. A
    /// PDS passes requests of its users on to them, at whatever address they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<bool>,
    /// Whether instances may choose the name of their bucket; false if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_names: Option<bool>,
}

/// Where the pods of instances may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels of nodes that `nodeSelector` may name; every label if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 316)))]
    pub node_labels: Option<Vec<String>>,
    /// Keys of taints that `tolerations` may name; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 316)))]
    pub tolerations: Option<Vec<String>>,
    /// Names that `priorityClassName` may have; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub priority_class_names: Option<Vec<String>>,
}
