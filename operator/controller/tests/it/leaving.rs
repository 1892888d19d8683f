//! Objects that are being deleted and that a finalizer of somebody else keeps.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{DeleteParams, Patch, PatchParams};
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};

fn hold(finalizers: Value) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"finalizers": finalizers}}))
}

/// What the operator asked about objects of a name, without reading.
fn writes(world: &World, end: &str) -> Vec<String> {
    let mut lines = world.traffic();
    lines.retain(|line| !line.starts_with("GET ") && line.ends_with(end));
    lines
}

/// H6 of the sixth attack: DELETE, POST and GET every ten seconds.
#[tokio::test]
async fn a_credential_that_a_finalizer_keeps_is_told_and_left_alone_until_it_is_gone() {
    let world = World::new("held").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    let secrets = world.api::<Secret>();
    let right = secrets.get("full-s3").await.unwrap().data;
    let parameters = PatchParams::default();
    secrets.patch("full-s3", &parameters, &hold(json!(["test/hold"]))).await.unwrap();
    let nonsense = Patch::Merge(json!({"stringData": {"secretAccessKey": "nonsense"}}));
    secrets.patch("full-s3", &parameters, &nonsense).await.unwrap();
    let pds = world.condition("full", "BlobStoreReady", "False", "BeingDeleted").await;
    assert!(message(&pds, "BlobStoreReady").starts_with("Secret full-s3 is being deleted"));
    let before = (writes(&world, "/secrets/full-s3").len(), writes(&world, "/secrets").len());
    // Two pauses of an instance that waits.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!((writes(&world, "/secrets/full-s3").len(), writes(&world, "/secrets").len()), before);
    secrets.patch("full-s3", &parameters, &hold(json!(null))).await.unwrap();
    eventually("the Secret is right again", async || (secrets.get("full-s3").await.ok()?.data == right).then_some(()))
        .await;
    world.ready("full").await;
}

#[tokio::test]
async fn a_child_that_a_finalizer_keeps_is_told_and_made_anew_once_it_is_gone() {
    let world = World::new("kept-child").await;
    let _node = world.run_pods();
    world.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
    world.ready("lite").await;
    let (services, parameters) = (world.api::<Service>(), PatchParams::default());
    let old = services.patch("lite-metrics", &parameters, &hold(json!(["test/hold"]))).await.unwrap();
    services.delete("lite-metrics", &DeleteParams::default()).await.unwrap();
    let pds = world.condition("lite", "WorkloadAvailable", "False", "BeingDeleted").await;
    assert!(message(&pds, "WorkloadAvailable").starts_with("Service lite-metrics is being deleted"));
    let before = writes(&world, "/services/lite-metrics").len();
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(writes(&world, "/services/lite-metrics").len(), before);
    services.patch("lite-metrics", &parameters, &hold(json!(null))).await.unwrap();
    eventually("the Service is made anew", async || {
        (services.get("lite-metrics").await.ok()?.metadata.uid != old.metadata.uid).then_some(())
    })
    .await;
    world.ready("lite").await;
}

/// A namespace, or an instance, that ends: the condition names what keeps it, and the operator does not ask every second.
#[tokio::test]
async fn the_end_of_an_instance_names_the_object_that_it_waits_for() {
    let world = World::new("end").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}, "deletionPolicy": {"database": "Delete"}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    let (deployments, parameters) = (world.api::<k8s_openapi::api::apps::v1::Deployment>(), PatchParams::default());
    deployments.patch("lite", &parameters, &hold(json!(["test/hold"]))).await.unwrap();
    world.api::<PdsInstance>().delete("lite", &DeleteParams::default()).await.unwrap();
    let pds = world.condition("lite", "Ready", "False", "BeingDeleted").await;
    let why = "the instance ends once Deployment lite is gone; if it stays, look at its metadata.finalizers";
    assert_eq!(message(&pds, "Ready"), why);
    deployments.patch("lite", &parameters, &hold(json!(null))).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
}

/// H6 of the sixth attack: annotations that stand before ours hid ours, so that they were written again and again.
#[tokio::test]
async fn keys_with_many_annotations_of_a_tenant_are_left_alone() {
    let world = World::new("notes").await;
    let _node = world.run_pods();
    world.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
    world.ready("lite").await;
    eventually("the fingerprint is noted", async || {
        let keys = world.api::<Secret>().get("lite-keys").await.ok()?;
        keys.metadata.annotations?.contains_key("auroralocus.dev/fingerprint").then_some(())
    })
    .await;
    let path = format!("PATCH /api/v1/namespaces/{}/secrets/lite-keys", world.namespace);
    let read = format!("GET /api/v1/namespaces/{}/secrets/lite-keys", world.namespace);
    let count = |line: &str| world.traffic().iter().filter(|found| *found == line).count();
    let before = (count(&path), count(&read));
    let many: serde_json::Map<_, _> =
        (0..80).map(|number| (format!("auroralocus.dev/a{number:02}"), json!("x"))).collect();
    let patch = Patch::Merge(json!({"metadata": {"annotations": many}}));
    world.api::<Secret>().patch("lite-keys", &PatchParams::default(), &patch).await.unwrap();
    eventually("the Secret is read again", async || (count(&read) > before.1).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count(&path), before.0, "nothing is written");
    world.ready("lite").await;
}
