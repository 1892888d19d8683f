//! NetworkPolicies judged as a network would: which pod may reach which.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::{Resources, built_as};

type Labels = BTreeMap<String, String>;

/// A pod, or something outside of the cluster.
#[derive(Clone, Debug)]
struct End {
    namespace: Option<&'static str>,
    labels: Labels,
}

const OUTSIDE: End = End { namespace: None, labels: BTreeMap::new() };

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    assert!(selector.match_expressions.is_none(), "this test knows no expressions");
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
}

fn peers(policy: &NetworkPolicyPeer, home: &str, from: &End) -> bool {
    assert!(policy.ip_block.is_none(), "this test knows no addresses");
    let Some(namespace) = from.namespace else { return false };
    match &policy.namespace_selector {
        Some(any) => assert_eq!(any, &LabelSelector::default(), "this test knows no labels of namespaces"),
        None if namespace != home => return false,
        None => {}
    }
    policy.pod_selector.as_ref().is_none_or(|selector| selects(selector, &from.labels))
}

/// Whether `from` may open a connection to `port` of `to`, as far as these policies go.
fn may(policies: &[NetworkPolicy], from: &End, to: &End, port: i32) -> bool {
    let about: Vec<_> = policies.iter().filter(|policy| is_about(policy, to)).collect();
    let rules = about.iter().flat_map(|policy| policy.spec.as_ref().unwrap().ingress.iter().flatten());
    let mut rules = rules.filter(|rule| {
        let ports = rule.ports.as_ref();
        let fits = ports.is_none_or(|ports| ports.iter().any(|found| found.port == Some(IntOrString::Int(port))));
        fits && rule.from.as_ref().is_none_or(|all| all.iter().any(|peer| peers(peer, "ns", from)))
    });
    about.is_empty() || rules.next().is_some()
}

fn is_about(policy: &NetworkPolicy, to: &End) -> bool {
    let spec = policy.spec.as_ref().unwrap();
    assert!(spec.policy_types.as_ref().unwrap().contains(&"Ingress".to_owned()));
    to.namespace == policy.metadata.namespace.as_deref() && selects(spec.pod_selector.as_ref().unwrap(), &to.labels)
}

fn pod(template: &PodTemplateSpec) -> End {
    End { namespace: Some("ns"), labels: template.metadata.clone().unwrap().labels.unwrap() }
}

struct Pods {
    server: End,
    migration: End,
    postgres: End,
}

fn pods(resources: &Resources) -> Pods {
    let postgres = resources.postgres.as_ref().unwrap();
    Pods {
        server: pod(&resources.deployment.spec.as_ref().unwrap().template),
        migration: pod(&resources.migrate.as_ref().unwrap().spec.as_ref().unwrap().template),
        postgres: pod(&postgres.stateful_set.spec.as_ref().unwrap().template),
    }
}

/// Two instances side by side, and the pods of the first.
fn two() -> (Vec<NetworkPolicy>, Pods, Pods) {
    let spec = json!({"hostname": "demo.test"});
    let (demo, other) = (built_as("demo", spec.clone()), built_as("other", spec));
    let (pods_of_demo, pods_of_other) = (pods(&demo), pods(&other));
    (demo.network_policies.into_iter().chain(other.network_policies).collect(), pods_of_demo, pods_of_other)
}

#[test]
fn every_pod_is_meant_by_one_policy() {
    let (policies, demo, other) = two();
    for pod in [&demo.server, &demo.migration, &demo.postgres, &other.server, &other.migration, &other.postgres] {
        assert_eq!(policies.iter().filter(|policy| is_about(policy, pod)).count(), 1, "{pod:?}");
    }
    let stranger = End { namespace: Some("ns"), labels: [("app".to_owned(), "demo".to_owned())].into() };
    assert!(!policies.iter().any(|policy| is_about(policy, &stranger)));
}

#[test]
fn a_database_takes_its_own_server_and_migration_and_nobody_else() {
    let (policies, demo, other) = two();
    for own in [&demo.server, &demo.migration] {
        assert!(may(&policies, own, &demo.postgres, 5432), "{own:?}");
        assert!(!may(&policies, own, &demo.postgres, 22));
        let twin = End { namespace: Some("elsewhere"), ..own.clone() };
        assert!(!may(&policies, &twin, &demo.postgres, 5432), "the same labels in another namespace");
    }
    let strangers = [&other.server, &other.migration, &other.postgres, &demo.postgres, &OUTSIDE];
    for stranger in strangers {
        assert!(!may(&policies, stranger, &demo.postgres, 5432), "{stranger:?}");
    }
}

#[test]
fn a_database_reaches_nobody() {
    let (policies, demo, _) = two();
    let policy = policies.iter().find(|policy| is_about(policy, &demo.postgres)).unwrap();
    let spec = policy.spec.as_ref().unwrap();
    assert!(spec.policy_types.as_ref().unwrap().contains(&"Egress".to_owned()) && spec.egress.is_none());
}

#[test]
fn everybody_reaches_the_server_and_only_the_cluster_its_metrics() {
    let (policies, demo, other) = two();
    for from in [&other.server, &demo.migration, &OUTSIDE] {
        assert!(may(&policies, from, &demo.server, 2583), "{from:?}");
        assert!(!may(&policies, from, &demo.server, 5432));
        assert!(!may(&policies, from, &demo.migration, 2583));
    }
    assert!(may(&policies, &End { namespace: Some("monitoring"), labels: Labels::new() }, &demo.server, 9464));
    assert!(!may(&policies, &OUTSIDE, &demo.server, 9464));
}

#[test]
fn services_lead_to_the_pods_that_are_made() {
    let resources = built_as("demo", json!({"hostname": "demo.test"}));
    let Pods { server, migration, postgres } = pods(&resources);
    let leads = |service: &k8s_openapi::api::core::v1::Service, pod: &End| {
        let match_labels = service.spec.as_ref().unwrap().selector.clone();
        selects(&LabelSelector { match_labels, ..Default::default() }, &pod.labels)
    };
    for service in &resources.services {
        assert!(leads(service, &server) && !leads(service, &postgres) && !leads(service, &migration));
    }
    for service in &resources.postgres.unwrap().services {
        assert!(leads(service, &postgres) && !leads(service, &server) && !leads(service, &migration));
    }
}
