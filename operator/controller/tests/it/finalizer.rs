//! The finalizer is there while data has to be deleted with an instance, and only then.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch};
use operator_api::PdsInstance;
use operator_controller::kinds::pds_instance::finalizer::{FINALIZER, release};
use operator_controller::options::Options;
use serde_json::{Value, json};

use super::harness::{World, eventually};
use super::home::Home;

async fn has_finalizer(world: &World, name: &str) -> bool {
    let pds = world.api::<PdsInstance>().get(name).await.unwrap();
    pds.metadata.finalizers.unwrap_or_default().iter().any(|name| name == FINALIZER)
}

async fn finalizer(world: &World, name: &str, wanted: bool) {
    let what = format!("the finalizer is there: {wanted}");
    eventually(&what, async || (has_finalizer(world, name).await == wanted).then_some(())).await;
}

fn lite(class: &str) -> Value {
    json!({"hostname": "lite.test", "className": class, "database": {"sqlite": {}}})
}

#[tokio::test]
async fn it_comes_and_goes_with_the_policy() {
    let world = World::new("policy").await;
    let _node = world.run_pods();
    world.create("lite", lite("standard")).await.unwrap();
    world.ready("lite").await;
    assert!(!has_finalizer(&world, "lite").await);
    let policy = |keys: &str| json!({"deletionPolicy": {"database": "Retain", "keys": keys}});
    world.edit("lite", policy("Delete")).await.unwrap();
    finalizer(&world, "lite", true).await;
    world.edit("lite", policy("Retain")).await.unwrap();
    finalizer(&world, "lite", false).await;
}

/// F58: nobody is there to end it, and nobody has to be.
#[tokio::test]
async fn without_it_an_instance_ends_without_the_operator() {
    let world = World::new("nobody").await;
    let home = Home::new(&world, json!({})).await;
    let process = home.start(None).await;
    let _node = world.run_pods();
    world.create("lite", lite(&home.class)).await.unwrap();
    world.ready("lite").await;
    drop(process);
    world.delete("lite").await;
    assert!(world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_some());
}

/// Before the operator is uninstalled. Instances of another installation keep their finalizer, and one that is too large for the operator's watches
/// (R1 of the ninth attack) is released, too.
#[tokio::test]
async fn release_lets_all_instances_go_without_the_operator() {
    let world = World::new("release").await;
    let home = Home::new(&world, json!({})).await;
    let process = home.start(None).await;
    let _node = world.run_pods();
    for name in ["lite", "large"] {
        let mut spec = lite(&home.class);
        spec["hostname"] = json!(format!("{name}.test"));
        spec["deletionPolicy"] = json!({"database": "Delete", "keys": "Delete"});
        world.create(name, spec).await.unwrap();
    }
    for name in ["lite", "large"] {
        world.ready(name).await;
        finalizer(&world, name, true).await;
    }
    drop(process);
    let api = world.api::<PdsInstance>();
    // Without managed fields there is room for as many labels.
    let labels: serde_json::Map<_, _> = (0..50_000).map(|label| (format!("{label:05x}"), json!(""))).collect();
    let patch = Patch::Merge(json!({"metadata": {"labels": labels, "managedFields": [{}]}}));
    let large = api.patch_metadata("large", &Default::default(), &patch).await.unwrap();
    assert!(serde_json::to_string(&large).unwrap().len() > 500_000);
    for name in ["lite", "large"] {
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
    let other = Options { controller_name: "test/other".into(), ..home.options().clone() };
    assert_eq!(release(&world.client, &other).await.unwrap(), 0);
    let elsewhere = Options { namespaces: vec![home.namespace.clone()], ..home.options().clone() };
    assert_eq!(release(&world.client, &elsewhere).await.unwrap(), 0);
    assert_eq!(release(&world.client, home.options()).await.unwrap(), 2);
    for name in ["lite", "large"] {
        world.gone::<PdsInstance>(name).await;
        let keys = world.api::<Secret>().get_opt(&format!("{name}-keys")).await.unwrap();
        assert!(keys.is_some(), "data is retained then");
    }
    assert_eq!(release(&world.client, home.options()).await.unwrap(), 0);
}
