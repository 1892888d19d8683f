//! `spec.paused`: the operator leaves everything as it is.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::harness::{World, eventually, message};
use super::node::component;

#[tokio::test]
async fn a_paused_instance_is_left_as_it_is_and_goes_on_later() {
    let world = World::new("pause").await;
    let _node = world.run_pods();
    world.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
    world.condition("lite", "Ready", "True", "AsExpected").await;
    world.edit("lite", json!({"paused": true, "image": "pds:2.0.0"})).await.unwrap();
    let pds = world.condition("lite", "Reconciling", "False", "Paused").await;
    assert_eq!(pds.status.unwrap().observed_generation, pds.metadata.generation);

    // Neither a new spec nor what somebody does by hand is answered.
    let deployments = world.api::<Deployment>();
    let image = async || {
        let spec = deployments.get("lite").await.ok()?.spec?;
        spec.template.spec?.containers.first()?.image.clone()
    };
    let by_hand = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments.patch("lite", &PatchParams::default(), &by_hand).await.unwrap();
    world.api::<Service>().delete("lite-metrics", &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(image().await.as_deref(), Some("pds:1.0.0"));
    assert_eq!(deployments.get("lite").await.unwrap().spec.unwrap().replicas, Some(0));
    assert!(world.api::<Service>().get_opt("lite-metrics").await.unwrap().is_none());

    world.edit("lite", json!({"paused": null})).await.unwrap();
    eventually("the new image is in use", async || image().await.filter(|image| image == "pds:2.0.0")).await;
    eventually("the Service is back", async || world.api::<Service>().get("lite-metrics").await.ok()).await;
    world.condition("lite", "Reconciling", "False", "AsExpected").await;
}

#[tokio::test]
async fn nothing_is_made_for_one_that_begins_paused_and_it_can_be_deleted() {
    let world = World::new("begin").await;
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}, "paused": true});
    world.create("lite", spec).await.unwrap();
    world.condition("lite", "Reconciling", "False", "Paused").await;
    assert!(world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_none());
    world.delete("lite").await;
}

/// F54.
#[tokio::test]
async fn a_paused_instance_without_a_pod_that_serves_is_not_ready() {
    let world = World::new("truth").await;
    let node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    world.edit("full", json!({"paused": true})).await.unwrap();
    world.condition("full", "Reconciling", "False", "Paused").await;
    world.condition("full", "Ready", "True", "AsExpected").await;
    drop(node);
    let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap();
    for pod in pods.iter().filter(|pod| component(pod) == "pds") {
        world.pod_says(&pod.name_any(), json!({"conditions": [{"type": "Ready", "status": "False"}]})).await;
    }
    let pds = world.condition("full", "Ready", "False", "Progressing").await;
    assert_eq!(message(&pds, "Ready"), "0 of 2 pods serve");
    world.condition("full", "Reconciling", "False", "Paused").await;
}
