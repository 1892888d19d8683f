//! The operator of the tests has the rights that the chart gives it, and no others.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource};
use serde_json::{Value, json};

use super::harness::SYSTEM;

/// As whom the API server sees the operator.
pub(crate) const USER: &str = "system:serviceaccount:aurora-system:aurora-locus";

/// Gives that user what `templates/rbac.yaml` says.
pub(crate) async fn grant(client: &Client) {
    let subjects = json!([{"kind": "ServiceAccount", "name": "aurora-locus", "namespace": SYSTEM}]);
    let about = |api_group: &str, kind: &str| json!({"apiGroup": api_group, "kind": kind, "name": "aurora-locus"});
    let group = "rbac.authorization.k8s.io";
    let binding = |kind: &str| json!({"subjects": subjects, "roleRef": about(group, kind)});
    apply::<ClusterRole>(&Api::all(client.clone()), json!({"rules": rules("ClusterRole")})).await;
    apply::<ClusterRoleBinding>(&Api::all(client.clone()), binding("ClusterRole")).await;
    let role = json!({"rules": rules("Role")});
    apply::<Role>(&home(client), role).await;
    apply::<RoleBinding>(&home(client), binding("Role")).await;
}

fn home<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(client: &Client) -> Api<K> {
    Api::namespaced(client.clone(), SYSTEM)
}

async fn apply<K>(api: &Api<K>, mut object: Value)
where
    K: Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    object["metadata"] = json!({"name": "aurora-locus"});
    let parameters = PatchParams::apply("test").force();
    api.patch("aurora-locus", &parameters, &Patch::Apply(object)).await.unwrap();
}

/// The rules of a kind in the chart. Only names and labels are templates there.
fn rules(kind: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/aurora-locus/templates/rbac.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let text: Vec<_> = text.lines().filter(|line| !line.contains("{{")).collect();
    let text = text.join("\n");
    let document = text.split("---").find(|part| part.contains(&format!("\nkind: {kind}\n"))).unwrap();
    let document: Value = serde_saphyr::from_str(document).unwrap();
    document["rules"].clone()
}
