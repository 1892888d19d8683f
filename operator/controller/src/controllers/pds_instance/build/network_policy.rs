//! Who may reach what.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::super::validate::{Database, Validated};
use super::meta;
use crate::k8s::labels::{Component, selector};

pub(super) fn build(wanted: &Validated) -> Vec<NetworkPolicy> {
    if !wanted.network_policies {
        return Vec::new();
    }
    let mut policies = vec![server(wanted)];
    if !matches!(wanted.database, Database::Sqlite { .. }) {
        policies.push(policy(wanted, wanted.names.migrate(""), Component::Migrate, Vec::new(), &["Ingress"]));
    }
    if matches!(wanted.database, Database::Postgres { .. }) {
        policies.push(postgres(wanted));
    }
    policies
}

/// XRPC from everywhere, metrics from pods of the cluster.
fn server(wanted: &Validated) -> NetworkPolicy {
    let any_pod = NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..Default::default() };
    let rules = vec![
        NetworkPolicyIngressRule { ports: Some(vec![port(2583)]), from: None },
        NetworkPolicyIngressRule { ports: Some(vec![port(9464)]), from: Some(vec![any_pod]) },
    ];
    policy(wanted, wanted.names.0.clone(), Component::Pds, rules, &["Ingress"])
}

/// Only the PDS and its migration; nothing outward.
fn postgres(wanted: &Validated) -> NetworkPolicy {
    let peers = [Component::Pds, Component::Migrate]
        .map(|component| NetworkPolicyPeer { pod_selector: Some(labelled(wanted, component)), ..Default::default() });
    let rules = vec![NetworkPolicyIngressRule { ports: Some(vec![port(5432)]), from: Some(peers.into()) }];
    policy(wanted, wanted.names.postgres(), Component::Postgres, rules, &["Ingress", "Egress"])
}

fn policy(
    wanted: &Validated,
    name: String,
    component: Component,
    rules: Vec<NetworkPolicyIngressRule>,
    types: &[&str],
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: meta::child(wanted, name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labelled(wanted, component)),
            ingress: (!rules.is_empty()).then_some(rules),
            policy_types: Some(types.iter().map(|kind| (*kind).to_owned()).collect()),
            ..Default::default()
        }),
    }
}

fn labelled(wanted: &Validated, component: Component) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(&wanted.names.0, component)), ..Default::default() }
}

fn port(number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(number)), protocol: Some("TCP".into()), ..Default::default() }
}
