//! CustomResourceDefinitions of another version than the operator's.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use kube::api::{Api, DynamicObject, ListParams, PostParams};
use operator_api::PdsInstance;
use operator_controller::crd;
use serde_json::{Value, json};

use super::harness::{World, define, eventually, message};
use super::home::Home;

/// The definition of before there was `spec.tls`.
fn older() -> CustomResourceDefinition {
    let mut json = serde_json::to_value(PdsInstance::crd()).unwrap();
    let spec = &mut json["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    spec.as_object_mut().unwrap().remove("tls").unwrap();
    serde_json::from_value(json).unwrap()
}

fn with_tls(world: &World, class: &str) -> Value {
    json!({
        "hostname": world.hostname("lite"), "className": class, "database": {"sqlite": {}}, "tls": {"secretName": "cert"},
    })
}

/// F65.
#[tokio::test]
async fn an_older_definition_is_noticed_and_nothing_is_made_from_what_it_drops() {
    let world = World::alone("older").await;
    let _node = world.run_pods();
    let home = Home::new(&world, json!({})).await;
    define(&world.client, &older()).await;
    let process = home.start(None).await;
    let resource = kube::api::ApiResource::erase::<PdsInstance>(&());
    let api = Api::<DynamicObject>::namespaced_with(world.client.clone(), &world.namespace, &resource);
    let pds = json!({
        "apiVersion": "auroralocus.dev/v1alpha1", "kind": "PdsInstance", "metadata": {"name": "lite"},
        "spec": with_tls(&world, &home.class),
    });
    api.create(&PostParams::default(), &serde_json::from_value(pds).unwrap()).await.unwrap();
    let pds = world.condition("lite", "ClassAccepted", "False", "CrdOutdated").await;
    assert!(pds.spec.tls.is_none(), "the API server dropped it");
    let why = message(&pds, "ClassAccepted");
    assert!(
        why.contains("pdsinstances.auroralocus.dev is older than the operator") && why.contains(".spec.tls"),
        "{why}"
    );
    world.condition("lite", "Stalled", "True", "CrdOutdated").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.api::<Secret>().list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(world.api::<Service>().list(&ListParams::default()).await.unwrap().items.is_empty());

    // The operator's own command brings the definitions; the next look finds them, and the instance goes on.
    crd::apply(&world.client).await.unwrap();
    eventually("the definition is new", async || {
        let edited = world.edit("lite", json!({"tls": {"secretName": "cert"}})).await.ok()?;
        edited.spec.tls.map(drop)
    })
    .await;
    world.condition("lite", "CertificateReady", "False", "CredentialsInvalid").await;
    drop(process);
}

/// A rollback of the operator must not take fields from a newer one.
#[tokio::test]
async fn a_newer_definition_stays() {
    let world = World::alone("newer").await;
    let mut json = serde_json::to_value(PdsInstance::crd()).unwrap();
    let spec = &mut json["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    spec["later"] = json!({"type": "string"});
    define(&world.client, &serde_json::from_value(json).unwrap()).await;
    crd::apply(&world.client).await.unwrap();
    let live = Api::<CustomResourceDefinition>::all(world.client.clone());
    let live = live.get("pdsinstances.auroralocus.dev").await.unwrap();
    let text = serde_json::to_string(&live.spec.versions[0].schema).unwrap();
    assert!(text.contains("\"later\""));
    define(&world.client, &PdsInstance::crd()).await;
}
