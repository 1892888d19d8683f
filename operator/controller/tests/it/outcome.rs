//! The status is written after every outcome of a reconciliation, also where the operator itself fails.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch};
use operator_api::PdsInstance;
use serde_json::{Value, json};

use super::harness::{World, eventually, message};
use super::wire::Spoil;

fn lite() -> Value {
    json!({"hostname": "lite.test", "database": {"sqlite": {}}})
}

#[tokio::test]
async fn a_panic_is_told_and_passes() {
    let world = World::new("panic").await;
    let _node = world.run_pods();
    let request = format!("POST /apis/apps/v1/namespaces/{}/deployments", world.namespace);
    world.spoil(&request, Spoil::Panic);
    world.create("lite", lite()).await.unwrap();
    let pds = world.condition("lite", "Ready", "False", "ReconcileFailed").await;
    let why = "the operator has a fault and stopped in the middle of its work on this instance; what runs goes on, the operator \
               tries again, its log says more";
    assert_eq!(message(&pds, "Ready"), why);
    assert_eq!(pds.status.unwrap().observed_generation, pds.metadata.generation);
    world.condition("lite", "Reconciling", "True", "ReconcileFailed").await;
    world.event("ReconcileFailed", why).await;
    world.mend(&request);
    world.ready("lite").await;
}

#[tokio::test]
async fn a_panic_at_the_end_of_an_instance_is_told_and_passes() {
    let world = World::new("endpanic").await;
    let _node = world.run_pods();
    let mut spec = lite();
    spec["deletionPolicy"] = json!({"keys": "Delete"});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    let request = format!("DELETE /api/v1/namespaces/{}/secrets/lite-keys", world.namespace);
    world.spoil(&request, Spoil::Panic);
    world.api::<PdsInstance>().delete("lite", &DeleteParams::default()).await.unwrap();
    let pds = world.condition("lite", "Ready", "False", "ReconcileFailed").await;
    assert!(message(&pds, "Ready").starts_with("the operator has a fault"), "{}", message(&pds, "Ready"));
    world.mend(&request);
    world.gone::<PdsInstance>("lite").await;
}

#[tokio::test]
async fn reads_that_the_api_server_refuses_are_told_in_its_words() {
    let world = World::new("reads").await;
    let _node = world.run_pods();
    world.create("lite", lite()).await.unwrap();
    world.ready("lite").await;
    let request = format!("GET /api/v1/namespaces/{}/secrets/lite-keys", world.namespace);
    world.spoil(&request, Spoil::Forbid);
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    world.api::<Secret>().patch("lite-keys", &Default::default(), &label).await.unwrap();
    let edited = world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    let pds = world.condition("lite", "Ready", "False", "ReconcileFailed").await;
    let why = format!(
        "what exists of the instance cannot be read: secrets \"lite-keys\" is forbidden: User \"nobody\" cannot get resource \
         \"secrets\" in API group \"\" in the namespace \"{}\"; the operator tries again",
        world.namespace
    );
    assert_eq!(message(&pds, "Ready"), why);
    world.event("ReconcileFailed", "secrets \"lite-keys\" is forbidden").await;
    eventually("the status is of the edit", async || {
        let status = world.api::<PdsInstance>().get("lite").await.ok()?.status?;
        (status.observed_generation == edited.metadata.generation).then_some(())
    })
    .await;
    world.mend(&request);
    world.ready("lite").await;
}

/// Everything is deleted, and the instance itself cannot go.
#[tokio::test]
async fn a_finalizer_that_cannot_be_removed_is_told_in_the_words_of_the_api_server() {
    let world = World::new("finalizer").await;
    let _node = world.run_pods();
    let mut spec = lite();
    spec["deletionPolicy"] = json!({"keys": "Delete"});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    let request = format!("PATCH /apis/auroralocus.dev/v1alpha1/namespaces/{}/pdsinstances/lite", world.namespace);
    world.spoil(&request, Spoil::Forbid);
    world.api::<PdsInstance>().delete("lite", &DeleteParams::default()).await.unwrap();
    let pds = world.condition("lite", "Ready", "False", "CleanupFailed").await;
    let why = message(&pds, "Ready");
    assert!(
        why.starts_with("pdsinstances.auroralocus.dev \"lite\" is forbidden: User \"nobody\" cannot patch"),
        "{why}"
    );
    assert!(why.len() < 300, "{why}");
    world.mend(&request);
    world.gone::<PdsInstance>("lite").await;
}
