//! From a spec to objects, and back.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use operator_api::PdsInstance;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};

fn lite() -> Value {
    json!({"hostname": "lite.test", "database": {"sqlite": {"size": "1Gi"}}})
}

#[tokio::test]
async fn becomes_ready_and_then_writes_nothing() {
    let world = World::new("quiet").await;
    world.create("lite", lite()).await.unwrap();
    let _node = world.run_pods();
    let pds = world.condition("lite", "Ready", "True", "AsExpected").await;
    let status = pds.status.clone().unwrap();
    assert_eq!(status.url, Some(format!("https://{}", world.hostname("lite"))));
    assert_eq!(status.version.as_deref(), Some("1.0.0"));
    assert_eq!(status.observed_generation, pds.metadata.generation);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = versions(&world).await;
    let poke = Patch::Merge(json!({"metadata": {"annotations": {"poke": "1"}}}));
    world.api::<PersistentVolumeClaim>().patch("lite-data", &PatchParams::default(), &poke).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(versions(&world).await, before);
}

/// Another generation, but nothing that would be different: the one write says that it was seen, and nothing is read.
#[tokio::test]
async fn a_reconciliation_without_work_asks_the_api_server_for_nothing() {
    let world = World::new("still").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.traffic().len();
    let wanted = world.edit("full", json!({"replicas": 2})).await.unwrap().metadata.generation;
    let api = world.api::<PdsInstance>();
    eventually("the generation is seen", async || {
        (api.get("full").await.ok()?.status?.observed_generation == wanted).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = world.traffic().split_off(before);
    let path = format!("PATCH /apis/auroralocus.dev/v1alpha1/namespaces/{}/pdsinstances/full/status", world.namespace);
    assert_eq!(after, [path]);
}

async fn versions(world: &World) -> Vec<Option<String>> {
    let list = ListParams::default();
    let mut versions = vec![world.api::<PdsInstance>().get("lite").await.unwrap().resource_version()];
    versions.extend(world.api::<Service>().list(&list).await.unwrap().iter().map(ResourceExt::resource_version));
    versions.extend(world.api::<Deployment>().list(&list).await.unwrap().iter().map(ResourceExt::resource_version));
    versions.extend(world.api::<Secret>().list(&list).await.unwrap().iter().map(ResourceExt::resource_version));
    versions.extend(world.api::<NetworkPolicy>().list(&list).await.unwrap().iter().map(ResourceExt::resource_version));
    versions
}

/// The cluster of the tests has a range of Services for each family.
#[tokio::test]
async fn services_have_addresses_of_both_families() {
    let world = World::new("families").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    for name in ["full", "full-metrics", "full-pg", "full-pg-headless"] {
        let spec = world.api::<Service>().get(name).await.unwrap().spec.unwrap();
        let families = spec.ip_families.unwrap_or_default();
        assert_eq!(families, ["IPv4", "IPv6"], "{name}");
        let addresses = spec.cluster_ips.unwrap_or_default();
        let expected = if name == "full-pg-headless" { 1 } else { 2 };
        assert_eq!(addresses.len(), expected, "{name}: {addresses:?}");
    }
}

#[tokio::test]
async fn drift_is_repaired() {
    let world = World::new("drift").await;
    world.create("lite", lite()).await.unwrap();
    let _node = world.run_pods();
    world.condition("lite", "Ready", "True", "AsExpected").await;
    let deployments = world.api::<Deployment>();
    let patch = Patch::Merge(json!({"spec": {"replicas": 5}}));
    deployments.patch("lite", &PatchParams::default(), &patch).await.unwrap();
    eventually("replicas are 1 again", async || {
        (deployments.get("lite").await.ok()?.spec?.replicas == Some(1)).then_some(())
    })
    .await;
    let services = world.api::<Service>();
    services.delete("lite-metrics", &DeleteParams::default()).await.unwrap();
    eventually("the Service is back", async || services.get("lite-metrics").await.ok()).await;
}

#[tokio::test]
async fn what_is_not_wanted_any_more_goes() {
    let world = World::new("prune").await;
    let class = world.class(json!({"allowed": {"networkOff": true}})).await;
    let mut spec = lite();
    spec["className"] = json!(class);
    world.create("lite", spec).await.unwrap();
    let policies = world.api::<NetworkPolicy>();
    eventually("the policy is made", async || policies.get("lite").await.ok()).await;
    world.edit("lite", json!({"network": {"policy": "Off"}})).await.unwrap();
    world.gone::<NetworkPolicy>("lite").await;
}

#[tokio::test]
async fn lost_keys_stop_it_and_nothing_is_made_anew() {
    let world = World::new("keys").await;
    world.create("lite", lite()).await.unwrap();
    world.condition("lite", "KeysReady", "True", "AsExpected").await;
    let secrets = world.api::<Secret>();
    secrets.delete("lite-keys", &DeleteParams::default()).await.unwrap();
    world.condition("lite", "Stalled", "True", "KeySecretMissing").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(secrets.get_opt("lite-keys").await.unwrap().is_none());
}

#[tokio::test]
async fn data_is_retained_and_adopted_again() {
    let world = World::new("retain").await;
    world.create("lite", lite()).await.unwrap();
    let before = world.condition("lite", "KeysReady", "True", "AsExpected").await.status.unwrap().keys;
    let volumes = world.api::<PersistentVolumeClaim>();
    eventually("the volume is asked for", async || volumes.get("lite-data").await.ok()).await;
    world.delete("lite").await;
    assert!(world.api::<Secret>().get("lite-keys").await.unwrap().owner_references().is_empty());
    assert!(volumes.get("lite-data").await.unwrap().owner_references().is_empty());
    world.create("lite", lite()).await.unwrap();
    let after = world.condition("lite", "KeysReady", "True", "AsExpected").await.status.unwrap().keys;
    assert_eq!(before, after);
}

async fn all<K>(world: &World) -> Vec<Value>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug,
{
    let all = world.api::<K>().list(&ListParams::default()).await.unwrap();
    all.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
}

/// A GitOps tool that finds its marks on objects that are not in Git would delete them, data too.
#[tokio::test]
async fn the_marks_of_a_gitops_tool_on_an_instance_are_not_those_of_its_objects() {
    let world = World::new("gitops").await;
    let _node = world.run_pods();
    let metadata = json!({
        "name": "full", "labels": {"app.kubernetes.io/instance": "shop"},
        "annotations": {"argocd.argoproj.io/tracking-id": "shop:auroralocus.dev/PdsInstance:ns/full"},
    });
    let spec = json!({"hostname": world.hostname("full"), "className": "real"});
    world.make::<PdsInstance>(json!({"metadata": metadata, "spec": spec})).await;
    world.ready("full").await;
    let mut objects = Vec::new();
    for of_a_kind in [
        all::<Deployment>(&world).await,
        all::<StatefulSet>(&world).await,
        all::<Job>(&world).await,
        all::<Service>(&world).await,
        all::<NetworkPolicy>(&world).await,
        all::<PodDisruptionBudget>(&world).await,
        all::<PersistentVolumeClaim>(&world).await,
        all::<Pod>(&world).await,
        all::<Secret>(&world).await,
    ] {
        assert!(!of_a_kind.is_empty());
        objects.extend(of_a_kind);
    }
    for object in objects {
        let text = object.to_string();
        assert!(!text.contains("app.kubernetes.io/instance") && !text.contains("argocd.argoproj.io"), "{text}");
    }
}

#[tokio::test]
async fn a_bucket_that_fails_does_not_hold_up_the_database() {
    let world = World::new("bucket").await;
    world.create("full", json!({"hostname": "full.test"})).await.unwrap();
    let pds = world.condition("full", "BlobStoreReady", "False", "BlobStoreUnavailable").await;
    let message = message(&pds, "BlobStoreReady");
    assert!(message.contains("the object store at http://127.0.0.1:9 ") && message.len() < 300, "{message}");
    let postgres =
        eventually("PostgreSQL is made", async || world.api::<StatefulSet>().get("full-pg").await.ok()).await;
    assert_eq!(postgres.spec.unwrap().replicas, Some(1));
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());
}

#[tokio::test]
async fn more_than_the_class_allows_is_stalled() {
    let world = World::new("quota").await;
    world.create("many", json!({"hostname": "many.test", "replicas": 9})).await.unwrap();
    let pds = world.condition("many", "Stalled", "True", "LimitExceeded").await;
    assert_eq!(message(&pds, "Stalled"), "spec.replicas: 9; PdsClass \"standard\" allows at most 3");
}

#[tokio::test]
async fn an_unknown_class_is_named() {
    let world = World::new("class").await;
    world.create("lost", json!({"hostname": "lost.test", "className": "nowhere"})).await.unwrap();
    world.condition("lost", "ClassAccepted", "False", "ClassNotFound").await;
}
