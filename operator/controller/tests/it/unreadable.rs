//! An instance that this version cannot read, as after a rollback.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::api::{Api, ApiResource, DynamicObject, Patch};
use kube::{CustomResourceExt, Resource};
use operator_api::{PdsHostnameClaim, PdsInstance};
use operator_controller::kinds::pds_instance::component::hostname::claim_name;
use serde_json::{Value, json};

use super::harness::{World, define, eventually};
use super::s3;

/// What a newer version knows.
async fn newer(world: &World) {
    let text = serde_json::to_string(&PdsInstance::crd()).unwrap();
    let newer = text.replace("\"Enforced\",", "\"Enforced\",\"Audited\",");
    assert_ne!(text, newer);
    define(&world.client, &serde_json::from_str(&newer).unwrap()).await;
}

pub(crate) fn api(world: &World) -> Api<DynamicObject> {
    Api::namespaced_with(world.client.clone(), &world.namespace, &ApiResource::erase::<PdsInstance>(&()))
}

/// Sets what this version cannot read, with the newer definition in place for that moment.
pub(crate) async fn audit(world: &World, name: &str) {
    newer(world).await;
    let patch = Patch::Merge(json!({"spec": {"network": {"policy": "Audited"}}}));
    eventually("the newer definition is in use", async || {
        api(world).patch(name, &Default::default(), &patch).await.ok().map(drop)
    })
    .await;
    define(&world.client, &PdsInstance::crd()).await;
}

async fn condition(world: &World, name: &str, kind: &str) -> Option<Value> {
    let live = api(world).get_opt(name).await.ok()??;
    let conditions = live.data.pointer("/status/conditions")?.as_array()?.clone();
    conditions.into_iter().find(|found| found["type"] == kind)
}

async fn is_unreadable(world: &World, name: &str) {
    let found = eventually("it is told", async || {
        condition(world, name, "Stalled").await.filter(|found| found["reason"] == "Unreadable")
    })
    .await;
    let message = found["message"].as_str().unwrap();
    assert!(message.contains("Audited") && message.ends_with("what runs goes on untouched"), "{message}");
    let ready = condition(world, name, "Ready").await.unwrap();
    assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("False"), Some("Unreadable")));
}

#[tokio::test]
async fn an_instance_that_cannot_be_read_goes_on_and_can_be_deleted() {
    let world = World::alone("unreadable").await;
    let _node = world.run_pods();
    let lite = |name: &str| json!({"hostname": format!("{name}.test"), "database": {"sqlite": {}}});
    world.create("lite", lite("lite")).await.unwrap();
    world.create("other", lite("other")).await.unwrap();
    let mut all = json!({"hostname": "all.test", "className": "real"});
    all["deletionPolicy"] = json!({"database": "Delete", "blobs": "Delete", "keys": "Delete"});
    world.create("all", all).await.unwrap();
    let mut ready = Vec::new();
    for name in ["lite", "other", "all"] {
        ready.push(world.ready(name).await);
    }
    let bucket = super::harness::bucket(&ready[2]);
    let before = world.api::<Deployment>().get("lite").await.unwrap();

    audit(&world, "lite").await;
    is_unreadable(&world, "lite").await;
    assert_eq!(world.api::<Deployment>().get("lite").await.unwrap().metadata.generation, before.metadata.generation);
    // The rest of the status is as it was, and so are the other instances.
    let live = api(&world).get("lite").await.unwrap();
    assert!(live.data.pointer("/status/keys/fingerprint").is_some());
    world.edit("other", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("other").await;

    // Corrected, it is as any other.
    let patch = Patch::Merge(json!({"spec": {"network": null}}));
    api(&world).patch("lite", &Default::default(), &patch).await.unwrap();
    world.ready("lite").await;

    audit(&world, "lite").await;
    is_unreadable(&world, "lite").await;
    api(&world).delete("lite", &Default::default()).await.unwrap();
    eventually("it is gone", async || api(&world).get_opt("lite").await.ok()?.is_none().then_some(())).await;
    assert!(world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_some());

    // Also with data to delete.
    audit(&world, "all").await;
    is_unreadable(&world, "all").await;
    api(&world).delete("all", &Default::default()).await.unwrap();
    eventually("it is gone", async || api(&world).get_opt("all").await.ok()?.is_none().then_some(())).await;
    assert!(!s3::exists(&bucket).await && !s3::user_exists(&bucket).await);
    for secret in ["all-keys", "all-pg", "all-s3"] {
        world.gone::<Secret>(secret).await;
    }
    world.gone::<PersistentVolumeClaim>("data-all-pg-0").await;
    let claims = Api::<PdsHostnameClaim>::all(world.client.clone());
    assert!(claims.get_opt(&claim_name(&world.hostname("all"))).await.unwrap().is_none());
    assert_eq!(PdsInstance::kind(&()), "PdsInstance");
}

/// Neither the change that makes an object unreadable can be read, nor its deletion.
#[tokio::test]
async fn an_object_that_became_unreadable_and_is_gone_is_not_believed_in() {
    let world = World::new("ghost").await;
    let _node = world.run_pods();
    let claims = world.api::<PersistentVolumeClaim>();
    let labels = json!({
        "app.kubernetes.io/managed-by": "aurora-locus-operator", "auroralocus.dev/instance": "full",
        "auroralocus.dev/component": "postgres",
    });
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let name = "data-full-pg-0";
    world.make::<PersistentVolumeClaim>(json!({"metadata": {"name": name, "labels": labels}, "spec": spec})).await;
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.condition("full", "KeysReady", "False", "KeySecretMissing").await;
    let more: serde_json::Map<_, _> =
        (0..1_700).map(|n| (format!("{}{n:04}", "long".repeat(14)), json!("x".repeat(60)))).collect();
    let metadata = json!({"labels": more, "annotations": {"auroralocus.dev/note": "x".repeat(250_000)}});
    claims.patch(name, &Default::default(), &Patch::Merge(json!({"metadata": metadata}))).await.unwrap();
    claims.delete(name, &Default::default()).await.unwrap();
    world.ready("full").await;
}
