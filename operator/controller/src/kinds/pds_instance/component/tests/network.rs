//! NetworkPolicies judged as a network would: which pod may reach which.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use pds_config::Cidr;
use serde_json::json;

use super::*;

const NAMESPACE: &str = "kubernetes.io/metadata.name";

type Labels = BTreeMap<String, String>;

/// A pod, or an address outside of the cluster.
#[derive(Clone, Debug)]
enum End {
    Pod { namespace: &'static str, labels: Labels },
    Address(IpAddr),
}

fn address(text: &str) -> End {
    End::Address(text.parse().unwrap())
}

fn stranger(namespace: &'static str) -> End {
    End::Pod { namespace, labels: [("app".to_owned(), "demo".to_owned())].into() }
}

fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let expressions = selector.match_expressions.iter().flatten();
    let mut expressions = expressions.map(|found| {
        assert_eq!(found.operator, "In", "this test knows no other operator");
        labels.get(&found.key).is_some_and(|value| found.values.iter().flatten().any(|wanted| wanted == value))
    });
    selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|fits| fits)
}

fn in_block(block: &IPBlock, address: IpAddr) -> bool {
    let within = |cidr: &String| cidr.parse::<Cidr>().unwrap().contains(address);
    within(&block.cidr) && !block.except.iter().flatten().any(within)
}

/// Kubernetes gives every namespace a label with its name. The administrator of this cluster has marked `monitoring`.
fn labels_of_namespace(namespace: &str) -> Labels {
    let name = (NAMESPACE.to_owned(), namespace.to_owned());
    let mark = (namespace == "monitoring").then(|| ("metrics".to_owned(), "enabled".to_owned()));
    [name].into_iter().chain(mark).collect()
}

fn is_peer(peer: &NetworkPolicyPeer, home: &str, end: &End) -> bool {
    match (end, &peer.ip_block) {
        (End::Address(address), Some(block)) => in_block(block, *address),
        // Addresses of pods are never judged by blocks: their range is not known, so a test that needed it would be wrong.
        (End::Pod { .. }, Some(_)) | (End::Address(_), None) => false,
        (End::Pod { namespace, labels }, None) => {
            match &peer.namespace_selector {
                Some(wanted) if !selects(wanted, &labels_of_namespace(namespace)) => return false,
                Some(_) => {}
                None if *namespace != home => return false,
                None => {}
            }
            peer.pod_selector.as_ref().is_none_or(|selector| selects(selector, labels))
        }
    }
}

fn is_port(ports: Option<&Vec<NetworkPolicyPort>>, port: i32) -> bool {
    ports.is_none_or(|ports| ports.iter().any(|found| found.port == Some(IntOrString::Int(port))))
}

fn about<'a>(policies: &'a [NetworkPolicy], end: &'a End, type_: &'a str) -> impl Iterator<Item = &'a NetworkPolicy> {
    policies.iter().filter(move |policy| {
        let spec = policy.spec.as_ref().unwrap();
        let End::Pod { namespace, labels } = end else { return false };
        Some(*namespace) == policy.metadata.namespace.as_deref()
            && spec.policy_types.as_ref().unwrap().iter().any(|found| found == type_)
            && selects(spec.pod_selector.as_ref().unwrap(), labels)
    })
}

/// Whether `from` may open a connection to `port` of `to`: what `from` may send and what `to` may receive.
fn may(policies: &[NetworkPolicy], from: &End, to: &End, port: i32) -> bool {
    let mut sends = about(policies, from, "Egress").peekable();
    let sent = sends.peek().is_none()
        || sends.flat_map(|policy| policy.spec.as_ref().unwrap().egress.iter().flatten()).any(|rule| {
            let peers = rule.to.as_ref();
            is_port(rule.ports.as_ref(), port) && peers.is_none_or(|all| all.iter().any(|peer| is_peer(peer, "ns", to)))
        });
    let mut receives = about(policies, to, "Ingress").peekable();
    let received = receives.peek().is_none()
        || receives.flat_map(|policy| policy.spec.as_ref().unwrap().ingress.iter().flatten()).any(|rule| {
            let peers = rule.from.as_ref();
            is_port(rule.ports.as_ref(), port)
                && peers.is_none_or(|all| all.iter().any(|peer| is_peer(peer, "ns", from)))
        });
    sent && received
}

struct Pods {
    server: End,
    migration: End,
    postgres: End,
    version: End,
}

fn pods(world: &World) -> Pods {
    let of = |labels: Value| End::Pod { namespace: "ns", labels: serde_json::from_value(labels).unwrap() };
    let pod = |kind: &str, name: &str| of(world.only(kind, name)["spec"]["template"]["metadata"]["labels"].clone());
    let name = world.name();
    Pods {
        server: pod("Deployment", &name),
        migration: pod("Job", &format!("{name}-migrate-")),
        postgres: pod("StatefulSet", &name),
        version: of(json!(labels::all(&name, "postgres-version"))),
    }
}

fn policies(world: &World) -> Vec<NetworkPolicy> {
    world.all("NetworkPolicy").map(|json| serde_json::from_value(json.clone()).unwrap()).collect()
}

fn settled(name: &str, change: Value) -> World {
    let mut class = class();
    merge(&mut class, &json!({"spec": change}));
    let mut world = World::of(name, class, json!({}));
    world.settle();
    world
}

/// Two instances side by side, and their pods.
fn two() -> (Vec<NetworkPolicy>, Pods, Pods) {
    let (demo, other) = (settled("demo", json!({})), settled("other", json!({})));
    (policies(&demo).into_iter().chain(policies(&other)).collect(), pods(&demo), pods(&other))
}

#[test]
fn every_pod_is_meant_by_one_policy() {
    let (policies, demo, other) = two();
    for Pods { server, migration, postgres, version } in [&demo, &other] {
        for pod in [server, migration, postgres, version] {
            assert_eq!(about(&policies, pod, "Ingress").count(), 1, "{pod:?}");
            assert_eq!(about(&policies, pod, "Egress").count(), 1, "{pod:?}");
        }
    }
    assert_eq!(about(&policies, &stranger("ns"), "Ingress").count(), 0);
    // The version Job of the other test's world has the labels that are assumed here.
    let asking = super::version::asking(World::new(json!({})));
    let found = asking.only("Job", "demo-pg-")["spec"]["template"]["metadata"]["labels"].clone();
    assert_eq!(found, json!(labels::all("demo", "postgres-version")));
}

#[test]
fn a_database_takes_its_own_server_and_migration_and_nobody_else() {
    let (policies, demo, other) = two();
    for own in [&demo.server, &demo.migration] {
        assert!(may(&policies, own, &demo.postgres, 5432), "{own:?}");
        assert!(!may(&policies, own, &demo.postgres, 22));
        assert!(!may(&policies, own, &other.postgres, 5432), "the database of another instance");
        let End::Pod { labels, .. } = own.clone() else { unreachable!("it is a pod") };
        let twin = End::Pod { namespace: "elsewhere", labels };
        assert!(!may(&policies, &twin, &demo.postgres, 5432), "the same labels in another namespace");
    }
    let outside = address("203.0.113.7");
    let strangers =
        [&other.server, &other.migration, &other.postgres, &demo.postgres, &demo.version, &stranger("ns"), &outside];
    for stranger in strangers {
        assert!(!may(&policies, stranger, &demo.postgres, 5432), "{stranger:?}");
    }
}

#[test]
fn a_database_reaches_nobody() {
    let (policies, demo, other) = two();
    let names = stranger("kube-system");
    let everybody =
        [&demo.server, &demo.migration, &other.server, &names, &address("203.0.113.7"), &address("169.254.20.10")];
    for to in everybody {
        for port in [53, 80, 443, 5432, 2583] {
            assert!(!may(&policies, &demo.postgres, to, port), "{to:?}");
            assert!(!may(&policies, &demo.version, to, port), "{to:?}");
        }
    }
}

#[test]
fn everybody_reaches_the_server_and_only_the_operator_and_marked_namespaces_its_metrics() {
    let (policies, demo, other) = two();
    for from in [&stranger("ns"), &stranger("ingress"), &address("203.0.113.7"), &address("2001:db8::1")] {
        assert!(may(&policies, from, &demo.server, 2583), "{from:?}");
        assert!(!may(&policies, from, &demo.server, 5432));
        assert!(!may(&policies, from, &demo.migration, 2583));
    }
    for from in ["monitoring", "system"] {
        assert!(may(&policies, &stranger(from), &demo.server, 9464), "{from}");
    }
    for from in [&stranger("ns"), &stranger("elsewhere"), &other.server, &address("203.0.113.7")] {
        assert!(!may(&policies, from, &demo.server, 9464), "{from:?}");
    }
    assert!(!may(&policies, &other.server, &demo.server, 8080));
}

const PUBLIC: [&str; 4] = ["203.0.113.7", "8.8.8.8", "2606:4700::1111", "172.15.255.255"];
/// The last ones are private by way of NAT64: of 10.0.0.1, 127.0.0.1, 198.18.0.1 and 240.0.0.1, and of any network by the local prefix.
const PRIVATE: [&str; 13] = [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "fc00::1",
    "fd12::1",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::c612:1",
    "64:ff9b::f000:1",
    "64:ff9b:1::a00:1",
];
/// Link-local, and the metadata services of clouds; then the same by way of NAT64, 6to4 and Teredo.
const CLOSED: [&str; 17] = [
    "169.254.169.254",
    "169.254.170.2",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "0.0.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a83f:8110",
    "64:ff9b::6464:64c8",
    "64:ff9b::1",
    "64:ff9b::c000:1",
    "64:ff9b::c058:6301",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001::5601:5601",
];
const PORTS: [i32; 5] = [53, 80, 443, 5432, 8080];

fn reaches(world: &World, to: &str, port: i32) -> bool {
    let (policies, pods) = (policies(world), pods(world));
    let [server, migration] = [pods.server, pods.migration].map(|pod| may(&policies, &pod, &address(to), port));
    assert_eq!(server, migration, "{to}: server and migration differ");
    server
}

#[test]
fn names_are_asked_of_every_resolver() {
    let world = settled("demo", json!({}));
    let (policies, pods) = (policies(&world), pods(&world));
    for pod in [&pods.server, &pods.migration] {
        assert!(may(&policies, pod, &stranger("kube-system"), 53));
        assert!(!may(&policies, pod, &stranger("kube-system"), 443));
        assert!(!may(&policies, pod, &stranger("ns"), 5432), "a database of somebody else");
        assert!(may(&policies, pod, &stranger("openshift-dns"), 5353), "the port of OpenShift's resolvers");
        assert!(!may(&policies, pod, &stranger("ns"), 5353));
    }
    assert!(reaches(&world, "169.254.20.10", 53), "NodeLocal DNSCache");
    assert!([80, 443].iter().all(|port| !reaches(&world, "169.254.20.10", *port)));
}

#[test]
fn the_public_internet_is_open_and_private_networks_are_not() {
    let (closed, open) = (settled("demo", json!({})), settled("demo", json!({"allowed": {"privateEgress": true}})));
    for port in PORTS {
        for to in PUBLIC {
            assert!(reaches(&closed, to, port) && reaches(&open, to, port), "{to}");
        }
        for to in PRIVATE {
            assert!(!reaches(&closed, to, port) && reaches(&open, to, port), "{to}");
        }
        for to in ["127.0.0.1", "::1"] {
            assert!(!reaches(&closed, to, port), "{to}");
        }
    }
}

#[test]
fn metadata_services_stay_closed_whatever_the_class_allows() {
    let peer = |cidr: &str, except: &[&str]| json!({"ipBlock": {"cidr": cidr, "except": except}});
    for change in [
        json!({}),
        json!({"allowed": {"privateEgress": true}}),
        json!({"outboundAllow": ["0.0.0.0/0", "::/0"]}),
        json!({"outboundAllow": ["169.254.0.0/16", "fd00:ec2::/32", "fe80::/10", "0.0.0.0/8", "168.63.129.16/32"]}),
        json!({"outboundAllow": ["169.254.169.254/32", "fd00:ec2::254/128", "100.64.0.0/10", "fc00::/7", "128.0.0.0/1"]}),
        json!({"allowed": {"egressTo": [peer("0.0.0.0/0", &["10.0.0.0/8"]), peer("::/0", &[])]}}),
        json!({"allowed": {"egressTo": [peer("169.254.169.0/24", &[]), peer("169.252.0.0/14", &[])]}}),
    ] {
        let world = settled("demo", change.clone());
        for to in CLOSED {
            for port in PORTS {
                assert!(!reaches(&world, to, port), "{to}:{port} with {change}");
            }
        }
        // The API server takes an exception only inside its network.
        let blocks = policies(&world).into_iter().flat_map(|policy| policy.spec.unwrap().egress.unwrap_or_default());
        for block in blocks.flat_map(|rule| rule.to.unwrap_or_default()).filter_map(|peer| peer.ip_block) {
            let length = |cidr: &str| cidr.split_once('/').unwrap().1.parse::<u8>().unwrap();
            for except in block.except.iter().flatten() {
                let first = except.split_once('/').unwrap().0.parse().unwrap();
                let inside =
                    block.cidr.parse::<Cidr>().unwrap().contains(first) && length(except) > length(&block.cidr);
                assert!(inside, "{except} in {}", block.cidr);
            }
        }
    }
}

#[test]
fn what_the_class_names_is_open() {
    let peers = json!([
        {"ipBlock": {"cidr": "10.9.0.0/16"}},
        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "demo"}}},
    ]);
    let world = settled(
        "demo",
        json!({"outboundAllow": ["10.96.0.0/12", ".pds.test", "10.1.1.1"], "allowed": {"egressTo": peers}}),
    );
    assert!(reaches(&world, "10.96.0.1", 80) && reaches(&world, "10.9.1.1", 7070));
    assert!(!reaches(&world, "10.8.1.1", 7070));
    let (policies, pods) = (policies(&world), pods(&world));
    assert!(may(&policies, &pods.server, &stranger("s3"), 7070), "a peer by labels");
    assert!(!may(&policies, &pods.postgres, &stranger("s3"), 7070));
}

#[test]
fn selectors_and_ports_are_those_of_the_pods_that_are_made() {
    for (kind, mut world) in every_kind() {
        world.settle();
        let templates = world.templates();
        let labels =
            |template: &Value| serde_json::from_value::<Labels>(template["metadata"]["labels"].clone()).unwrap();
        let open: Vec<_> = templates
            .iter()
            .flat_map(|template| template["spec"]["containers"][0]["ports"].as_array().cloned().unwrap_or_default())
            .collect();
        for policy in policies(&world) {
            let spec = policy.spec.unwrap();
            let selector = spec.pod_selector.unwrap();
            // A migration's pods are there while it runs; here its Job is.
            assert!(templates.iter().any(|template| selects(&selector, &labels(template))), "{kind}: {selector:?}");
            for port in spec.ingress.iter().flatten().flat_map(|rule| rule.ports.iter().flatten()) {
                let Some(IntOrString::Int(port)) = port.port else { unreachable!("a number") };
                assert!(open.iter().any(|found| found["containerPort"] == port), "{kind}: {port}");
            }
        }
        for service in world.all("Service") {
            let match_labels = serde_json::from_value(service["spec"]["selector"].clone()).unwrap();
            let selector = LabelSelector { match_labels: Some(match_labels), ..Default::default() };
            let led: Vec<_> = templates.iter().filter(|template| selects(&selector, &labels(template))).collect();
            assert_eq!(led.len(), 1, "{kind}: Service {}", name_of(service));
            let target = &service["spec"]["ports"][0]["targetPort"];
            let ports = led[0]["spec"]["containers"][0]["ports"].as_array().unwrap();
            assert!(ports.iter().any(|port| port["name"] == *target), "{kind}: Service {}", name_of(service));
        }
    }
}

#[test]
fn pods_of_its_own_namespace_are_reached_where_the_spec_names_them() {
    let redis = |namespace: &'static str, app: &str| End::Pod {
        namespace,
        labels: [("app".to_owned(), app.to_owned()), ("tier".to_owned(), "cache".to_owned())].into(),
    };
    let closed = settled("demo", json!({}));
    assert!(!may(&policies(&closed), &pods(&closed).server, &redis("ns", "redis"), 6379));
    let mut world = World::of(
        "demo",
        class(),
        json!({"network": {"egressTo": [{"podLabels": {"app": "redis", "tier": "cache"}, "ports": [6379, 6380]}]}}),
    );
    world.settle();
    let (policies, own) = (policies(&world), pods(&world));
    for pod in [&own.server, &own.migration] {
        assert!(may(&policies, pod, &redis("ns", "redis"), 6379) && may(&policies, pod, &redis("ns", "redis"), 6380));
        assert!(!may(&policies, pod, &redis("ns", "redis"), 22), "another port");
        assert!(!may(&policies, pod, &redis("ns", "other"), 6379), "one label of two");
        assert!(!may(&policies, pod, &redis("elsewhere", "redis"), 6379), "the same labels in another namespace");
    }
    assert!(!may(&policies, &own.postgres, &redis("ns", "redis"), 6379));
}
