//! The operators of the tests have the rights that `operator_controller::access` lists, and no others.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource};
use operator_controller::access::{self, Right};
use serde_json::{Value, json};

const EVERYWHERE: &str = "aurora-locus-namespaces";
const CLUSTER: &str = "aurora-locus-cluster";
const HOME: &str = "aurora-locus";

/// As whom the API server sees the operator of a namespace.
pub(crate) fn user(home: &str) -> String {
    format!("system:serviceaccount:{home}:aurora-locus")
}

/// Writes the roles that operators are bound to.
pub(crate) async fn roles(client: &Client) {
    let roles = Api::<ClusterRole>::all(client.clone());
    apply(&roles, EVERYWHERE, rules(access::in_namespaces())).await;
    apply(&roles, CLUSTER, rules(access::in_cluster())).await;
}

/// Gives the operator of `home` its rights in some namespaces, or in all if none are named.
pub(crate) async fn grant(client: &Client, home: &str, namespaces: &[String]) {
    let cluster = Api::<ClusterRoleBinding>::all(client.clone());
    apply(&cluster, &format!("{CLUSTER}-{home}"), binding(home, "ClusterRole", CLUSTER)).await;
    apply::<Role>(&within(client, home), HOME, rules(access::in_own_namespace())).await;
    apply::<RoleBinding>(&within(client, home), HOME, binding(home, "Role", HOME)).await;
    let everywhere = || binding(home, "ClusterRole", EVERYWHERE);
    if namespaces.is_empty() {
        apply(&cluster, &format!("{EVERYWHERE}-{home}"), everywhere()).await;
    }
    for namespace in namespaces {
        apply::<RoleBinding>(&within(client, namespace), EVERYWHERE, everywhere()).await;
    }
}

fn rules(rights: Vec<Right>) -> Value {
    let rule = |right: &Right| json!({"apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs});
    json!({"rules": rights.iter().map(rule).collect::<Vec<_>>()})
}

fn binding(home: &str, kind: &str, name: &str) -> Value {
    let subject = json!({"kind": "ServiceAccount", "name": "aurora-locus", "namespace": home});
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
    json!({"subjects": [subject], "roleRef": role})
}

fn within<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(client: &Client, namespace: &str) -> Api<K> {
    Api::namespaced(client.clone(), namespace)
}

async fn apply<K>(api: &Api<K>, name: &str, mut object: Value)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    object["metadata"] = json!({"name": name});
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await.unwrap();
}
