//! What the chart adds to the roles `view`, `edit` and `admin` of Kubernetes.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::harness::{World, eventually};

/// The cluster roles that the chart installs for people.
fn chart_roles() -> Vec<ClusterRole> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let print = Command::new(root.join("e2e/tools/build")).args(["--print", "helm"]).output().unwrap();
    let helm = Path::new(String::from_utf8(print.stdout).unwrap().trim()).join("helm");
    assert!(helm.exists(), "{} is missing; run: e2e/tools/build helm", helm.display());
    let chart = ["template", "aurora-locus", "charts/aurora-locus", "--kube-version", "1.33"];
    let output = Command::new(helm)
        .args(chart)
        .args(["--show-only", "templates/aggregate.yaml"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// A person to whom a role of Kubernetes is bound.
struct Person {
    reviews: Api<SubjectAccessReview>,
    name: String,
}

impl Person {
    fn new(world: &World, role: &str) -> Self {
        Self { reviews: Api::all(world.client.clone()), name: format!("{role}-of-{}", world.namespace) }
    }

    fn binding(&self, role: &str) -> Value {
        json!({
            "metadata": {"name": self.name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.name}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        })
    }

    /// Whether the API server lets the person do this in a namespace, or to an object of the cluster if the namespace is empty.
    async fn may(&self, verb: &str, resource: &str, namespace: &str) -> bool {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let wanted = json!({
            "group": "auroralocus.dev", "resource": resource, "subresource": subresource, "verb": verb, "namespace": namespace,
        });
        let review =
            json!({"spec": {"user": self.name, "groups": ["system:authenticated"], "resourceAttributes": wanted}});
        let review = serde_json::from_value(review).unwrap();
        self.reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
    }

    /// The verbs of a list that the person may use.
    async fn verbs(&self, resource: &str, namespace: &str) -> Vec<&'static str> {
        let mut allowed = Vec::new();
        for verb in VERBS {
            if self.may(verb, resource, namespace).await {
                allowed.push(verb);
            }
        }
        allowed
    }
}

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const READING: [&str; 3] = ["get", "list", "watch"];
const NOTHING: [&str; 0] = [];

/// Installs the roles of the chart, and waits until Kubernetes has added their rules to its own roles.
async fn world_with_roles(name: &str) -> World {
    let world = World::new(name).await;
    let roles = Api::<ClusterRole>::all(world.client.clone());
    for role in chart_roles() {
        let name = role.metadata.name.clone().unwrap();
        roles.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&role)).await.unwrap();
    }
    for role in ["view", "edit", "admin"] {
        eventually(&format!("{role} has the rules of the chart"), async || {
            let rules = roles.get(role).await.ok()?.rules?;
            let of_chart =
                |rule: &PolicyRule| rule.resources.iter().flatten().any(|resource| resource == "pdsinstances");
            rules.iter().any(of_chart).then_some(())
        })
        .await;
    }
    world
}

#[tokio::test]
async fn a_role_in_a_namespace_reaches_its_instances_and_nothing_else() {
    let world = world_with_roles("people").await;
    let elsewhere = world.neighbour().await.namespace.clone();
    for (role, wanted) in [("view", &READING[..]), ("edit", &VERBS), ("admin", &VERBS)] {
        let person = Person::new(&world, role);
        world.make::<RoleBinding>(person.binding(role)).await;
        eventually(&format!("{role} is bound"), async || {
            person.may("list", "pdsinstances", &world.namespace).await.then_some(())
        })
        .await;
        assert_eq!(person.verbs("pdsinstances", &world.namespace).await, wanted, "{role}");
        assert_eq!(person.verbs("pdsinstances", &elsewhere).await, NOTHING, "{role}");
        assert_eq!(person.verbs("pdsinstances", "").await, NOTHING, "{role}");
        assert_eq!(person.verbs("pdsinstances/status", &world.namespace).await, ["get"], "{role}");
        assert_eq!(person.verbs("pdsinstances/finalizers", &world.namespace).await, NOTHING, "{role}");
        for kind in ["pdsclasses", "pdshostnameclaims", "pdsbucketclaims"] {
            assert_eq!(person.verbs(kind, "").await, NOTHING, "{role} {kind}");
        }
    }
}

#[tokio::test]
async fn a_role_in_the_whole_cluster_reads_classes_and_claims() {
    let world = world_with_roles("staff").await;
    let person = Person::new(&world, "edit");
    let bindings = Api::<ClusterRoleBinding>::all(world.client.clone());
    let binding = serde_json::from_value(person.binding("edit")).unwrap();
    bindings.create(&PostParams::default(), &binding).await.unwrap();
    eventually("edit is bound", async || person.may("list", "pdsinstances", "").await.then_some(())).await;
    for kind in ["pdsclasses", "pdshostnameclaims", "pdsbucketclaims"] {
        assert_eq!(person.verbs(kind, "").await, READING, "{kind}");
    }
    bindings.delete(&person.name, &Default::default()).await.unwrap();
}
