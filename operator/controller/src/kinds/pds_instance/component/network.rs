//! What the pods may reach and who may reach them, and the service account that they run as.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use operator_api::{ConditionType, OwnPods, Reason};
use operator_object_store::Access;
use operator_runtime::child::Child;
use operator_runtime::labels;
use operator_runtime::manifest::Manifest;
use operator_runtime::ownership::Lifetime;
use pds_config::Cidr;

use super::super::verdict::Verdict;
use super::super::wanted::{NetworkRules, Wanted};
use super::name;
use super::part::{Component, Part, Scene, metadata};

const NAME: &str = "network";

/// Never reached from pods: this network, link-local, and the metadata services of clouds, which give out credentials. Of those
/// 168.63.129.16 is Azure's, 100.100.100.200 Alibaba's, fd00:ec2::254 Amazon's and fd20:ce::254 Google's. 192.88.99.0/24 leads to relays of
/// 6to4 (RFC 7526).
const CLOSED_V4: [&str; 6] =
    ["0.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.0/24", "192.88.99.0/24"];
/// After the metadata services: every network of [`CLOSED_V4`] by way of NAT64 (RFC 6052), the metadata services by the local prefix of NAT64 (RFC 8215) as it is usually set up, then Teredo (RFC 4380) and 6to4 (RFC 3056), whose
/// addresses contain IPv4 addresses.
const CLOSED_V6: [&str; 14] = [
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::/32",
    "64:ff9b::/104",
    "64:ff9b::a9fe:0/112",
    "64:ff9b::a83f:8110/128",
    "64:ff9b::6464:64c8/128",
    "64:ff9b::c000:0/120",
    "64:ff9b::c058:6300/120",
    "64:ff9b:1::a9fe:0/112",
    "64:ff9b:1::a83f:8110/128",
    "64:ff9b:1::6464:64c8/128",
    "2001::/32",
    "2002::/16",
];
/// Where NodeLocal DNSCache answers, port 53 only.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";
/// Namespace of OpenShift's resolvers, and the port of their pods. The port of their Service is 53, but a network plugin compares a policy with
/// the port of the pod.
const OPENSHIFT_DNS: (&str, i32) = ("openshift-dns", 5353);
/// Private networks: RFC 1918, RFC 6598, loopback, benchmarks (RFC 2544) and class E, which clouds give to pods.
const PRIVATE_V4: [&str; 7] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "198.18.0.0/15", "240.0.0.0/4"];
/// RFC 4193, loopback, every network of [`PRIVATE_V4`] by way of NAT64 (RFC 6052), and the local prefix of NAT64 (RFC 8215), which may lead
/// anywhere.
const PRIVATE_V6: [&str; 10] = [
    "fc00::/7",
    "::1/128",
    "64:ff9b::a00:0/104",
    "64:ff9b::ac10:0/108",
    "64:ff9b::c0a8:0/112",
    "64:ff9b::6440:0/106",
    "64:ff9b::7f00:0/104",
    "64:ff9b::c612:0/111",
    "64:ff9b::f000:0/100",
    "64:ff9b:1::/48",
];

/// Makes the service account and the NetworkPolicies of the pods. Pods are not started before both exist.
pub struct Network;

impl Component for Network {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Pods do not start before these objects exist, so the condition of the pods tells.
    fn condition(&self) -> ConditionType {
        ConditionType::WorkloadAvailable
    }

    fn children(&self) -> &'static [Child] {
        const CHILDREN: &[Child] = &[
            Child::whole::<ServiceAccount>(&["create", "patch", "delete"]),
            Child::whole::<NetworkPolicy>(&["create", "patch", "delete"]),
        ];
        CHILDREN
    }

    fn plan(&self, scene: &Scene<'_>) -> Part {
        if scene.obstacle(&[ConditionType::HostnameClaimed, ConditionType::KeysReady]).is_some() {
            return Part { verdict: None, is_complete: false, ..Part::absent() };
        }
        let account = service_account(scene);
        let policies = policies(scene);
        let missing = policies.iter().filter_map(|policy| policy.metadata.name.clone());
        // A policy of somebody else under the same name closes nothing.
        let missing = missing.filter(|name| scene.child::<NetworkPolicy>(name).is_none()).collect::<Vec<_>>();
        let mut manifests = vec![Manifest::of(&account, Lifetime::Instance)];
        manifests.extend(policies.iter().map(|policy| Manifest::of(policy, Lifetime::Instance)));
        let verdict = (!missing.is_empty())
            .then(|| Verdict::bad(Reason::Progressing, format!("NetworkPolicy {} is being made", missing.join(", "))));
        Part { verdict, manifests, is_complete: true, ..Part::absent() }
    }
}

/// The role that the pods have in the cloud, where the class gives roles instead of keys. While the cloud was not asked or does not
/// answer, it is the one that the service account has.
pub(super) fn role(scene: &Scene<'_>) -> Option<String> {
    if !scene.wanted.uses_role() {
        return None;
    }
    if let Some(Access::Role { arn }) = scene.observed.access() {
        return Some(arn.clone());
    }
    let live = scene.child::<ServiceAccount>(&name::service_account(&scene.wanted.instance))?;
    live.metadata.annotations.as_ref()?.get(labels::ROLE_ARN).cloned()
}

/// The identity of the pods. It has no rights in the cluster and no token is mounted; a cloud may give it rights to one bucket and one key.
fn service_account(scene: &Scene<'_>) -> ServiceAccount {
    let wanted = scene.wanted;
    let mut metadata = metadata(wanted, name::service_account(&wanted.instance), NAME);
    let arn = role(scene).or_else(|| wanted.own_role().map(ToOwned::to_owned));
    metadata.annotations = arn.map(|arn| [(labels::ROLE_ARN.to_owned(), arn)].into());
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..Default::default() }
}

fn policies(scene: &Scene<'_>) -> Vec<NetworkPolicy> {
    let wanted = scene.wanted;
    let Some(rules) = &wanted.network else { return Vec::new() };
    let mut policies = vec![server(wanted, rules, &scene.observed.operator_namespace)];
    if !wanted.is_sqlite() {
        let egress = outward(wanted, rules);
        policies.push(policy(wanted, format!("{}-migrate", wanted.instance), name::MIGRATE, Vec::new(), egress));
    }
    if wanted.has_postgres() {
        policies.push(postgres(wanted));
    }
    policies
}

/// NetworkPolicy of the PDS: XRPC is open to every source. Metrics tell how many accounts and failed logins there are, so they are open to the
/// operator and to pods of namespaces with the label `metrics=enabled`, which only an administrator of the cluster can set.
fn server(wanted: &Wanted, rules: &NetworkRules, operator_namespace: &str) -> NetworkPolicy {
    let scrapers = vec![pods_of(operator_namespace), pods_where("metrics", "enabled")];
    let ingress = vec![
        NetworkPolicyIngressRule { ports: Some(vec![port("TCP", 2583)]), from: None },
        NetworkPolicyIngressRule { ports: Some(vec![port("TCP", 9464)]), from: Some(scrapers) },
    ];
    policy(wanted, wanted.instance.clone(), name::SERVER, ingress, outward(wanted, rules))
}

/// NetworkPolicy of PostgreSQL and of the version Job: ingress from the PDS and its migration, no egress.
fn postgres(wanted: &Wanted) -> NetworkPolicy {
    let peers = [name::SERVER, name::MIGRATE]
        .map(|component| NetworkPolicyPeer { pod_selector: Some(labelled(wanted, component)), ..Default::default() });
    let ingress = vec![NetworkPolicyIngressRule { ports: Some(vec![port("TCP", 5432)]), from: Some(peers.into()) }];
    let mut policy = policy(wanted, name::postgres(&wanted.instance), name::POSTGRES, ingress, Vec::new());
    if let Some(spec) = &mut policy.spec {
        spec.pod_selector = Some(LabelSelector {
            match_labels: Some([(labels::INSTANCE.to_owned(), wanted.instance.clone())].into()),
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: labels::COMPONENT.into(),
                operator: "In".into(),
                values: Some([name::POSTGRES, name::POSTGRES_VERSION].map(Into::into).into()),
            }]),
        });
    }
    policy
}

/// Egress rules: DNS, the PostgreSQL of the instance, `network.egressTo` of the instance, `allowed.egressTo` and `outboundAllow` of the class, and
/// public addresses.
fn outward(wanted: &Wanted, rules: &NetworkRules) -> Vec<NetworkPolicyEgressRule> {
    let names = |number| Some(vec![port("UDP", number), port("TCP", number)]);
    let any_pod = NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..Default::default() };
    let resolvers = vec![any_pod, block(NODE_LOCAL_DNS.into(), &[])];
    let (namespace, openshift_port) = OPENSHIFT_DNS;
    let mut egress = vec![
        NetworkPolicyEgressRule { ports: names(53), to: Some(resolvers) },
        NetworkPolicyEgressRule { ports: names(openshift_port), to: Some(vec![pods_of(namespace)]) },
    ];
    if wanted.has_postgres() {
        let database = NetworkPolicyPeer { pod_selector: Some(labelled(wanted, name::POSTGRES)), ..Default::default() };
        egress.push(NetworkPolicyEgressRule { ports: Some(vec![port("TCP", 5432)]), to: Some(vec![database]) });
    }
    egress.extend(rules.own_pods.iter().map(own_pods));
    let networks = rules.networks.iter().map(|network| block(network.clone(), &[]));
    let named: Vec<_> = rules.peers.iter().cloned().chain(networks).filter_map(without_closed).collect();
    if !named.is_empty() {
        egress.push(NetworkPolicyEgressRule { ports: None, to: Some(named) });
    }
    let except = |closed: &[&'static str], private: &[&'static str]| {
        if rules.private { closed.to_vec() } else { [closed, private].concat() }
    };
    let public = vec![
        block("0.0.0.0/0".into(), &except(&CLOSED_V4, &PRIVATE_V4)),
        block("::/0".into(), &except(&CLOSED_V6, &PRIVATE_V6)),
    ];
    egress.push(NetworkPolicyEgressRule { ports: None, to: Some(public) });
    egress
}

/// Pods of the instance's own namespace. Without a namespace selector a peer is in the namespace of its policy.
fn own_pods(pods: &OwnPods) -> NetworkPolicyEgressRule {
    let selector = LabelSelector { match_labels: Some(pods.pod_labels.clone()), ..Default::default() };
    let peer = NetworkPolicyPeer { pod_selector: Some(selector), ..Default::default() };
    let ports = pods.ports.iter().map(|number| port("TCP", *number)).collect();
    NetworkPolicyEgressRule { ports: Some(ports), to: Some(vec![peer]) }
}

/// Every pod of a namespace.
fn pods_of(namespace: &str) -> NetworkPolicyPeer {
    pods_where("kubernetes.io/metadata.name", namespace)
}

/// Every pod of the namespaces with a label.
fn pods_where(label: &str, value: &str) -> NetworkPolicyPeer {
    let labels = [(label.to_owned(), value.to_owned())].into();
    let selector = LabelSelector { match_labels: Some(labels), ..Default::default() };
    NetworkPolicyPeer { namespace_selector: Some(selector), ..Default::default() }
}

/// The peer without the networks that stay closed whatever the class names; nothing if all of it is closed.
fn without_closed(mut peer: NetworkPolicyPeer) -> Option<NetworkPolicyPeer> {
    let Some(block) = &mut peer.ip_block else { return Some(peer) };
    for closed in CLOSED_V4.iter().chain(&CLOSED_V6) {
        if is_within(&block.cidr, closed) {
            return None;
        }
        if is_within(closed, &block.cidr) {
            block.except.get_or_insert_default().push((*closed).to_owned());
        }
    }
    Some(peer)
}

/// Whether a network is the other or a part of it. False if one of them cannot be read.
fn is_within(network: &str, other: &str) -> bool {
    let networks = (network.parse::<Cidr>(), other.parse::<Cidr>());
    matches!(networks, (Ok(network), Ok(other)) if other.covers(&network))
}

fn block(cidr: String, except: &[&str]) -> NetworkPolicyPeer {
    let except = (!except.is_empty()).then(|| except.iter().map(|network| (*network).to_owned()).collect());
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr, except }), ..Default::default() }
}

fn policy(
    wanted: &Wanted,
    name: String,
    component: &str,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: metadata(wanted, name, NAME),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labelled(wanted, component)),
            ingress: (!ingress.is_empty()).then_some(ingress),
            egress: (!egress.is_empty()).then_some(egress),
            policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        }),
    }
}

fn labelled(wanted: &Wanted, component: &str) -> LabelSelector {
    LabelSelector { match_labels: Some(labels::selector(&wanted.instance, component)), ..Default::default() }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(number)), protocol: Some(protocol.into()), ..Default::default() }
}
