//! Which network connections the pods of an instance accept and make.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::quantity;

/// Which network connections the pods accept and make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Whether NetworkPolicies are made; `Enforced` if absent. `Off` only where the class allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<NetworkPolicyMode>,
    /// Pods of the instance's own namespace that its pods may connect to, for example a Redis or an SMTP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub egress_to: Option<Vec<OwnPods>>,
}

/// Pods of the instance's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnPods {
    /// Labels that the pods have; all of them count.
    #[schemars(schema_with = "quantity::some_labels")]
    pub pod_labels: BTreeMap<String, String>,
    /// TCP ports of the pods, which may be others than those of their Service.
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 65_535)))]
    pub ports: Vec<i32>,
}

/// Whether NetworkPolicies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkPolicyMode {
    /// The database takes only this PDS, the PDS only its own ports.
    Enforced,
    /// No NetworkPolicy.
    Off,
}
