//! The finalizer is there while data has to be deleted with an instance, and only then.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Resource;
use kube::api::{DeleteParams, Patch};
use operator_api::PdsInstance;
use operator_controller::kinds::pds_instance::finalizer::{FINALIZER, release};
use operator_controller::options::Options;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

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

/// Gives an instance 3,000 labels, 790 KB, about twice as much as a watch may have of one. Without managed fields there is room for as many.
async fn swell(world: &World, name: &str) {
    let prefix = ["x".repeat(62), "y".repeat(62), "z".repeat(62), "w".repeat(62)].join(".");
    let labels: serde_json::Map<_, _> = (0..3_000).map(|label| (format!("{prefix}/l{label:06}"), json!(""))).collect();
    let patch = Patch::Merge(json!({"metadata": {"labels": labels, "managedFields": [{}]}}));
    let large = world.api::<PdsInstance>().patch_metadata(name, &Default::default(), &patch).await.unwrap();
    assert!(serde_json::to_string(&large.metadata.labels).unwrap().len() > 700_000);
}

/// Writes to an instance again and again until it is gone; gives how often.
fn keep_writing(world: &World, name: &str) -> JoinHandle<usize> {
    let path = format!("{}/{name}", PdsInstance::url_path(&(), Some(&world.namespace)));
    let client = world.client.clone();
    tokio::spawn(async move {
        let mut written = 0;
        loop {
            // The other tests need the API server, too.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let body = json!({"metadata": {"labels": {"touched": written.to_string()}}}).to_string();
            let request = http::Request::patch(&path).header("content-type", "application/merge-patch+json");
            match client.request_text(request.body(body.into_bytes()).unwrap()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return written,
                answer => written += usize::from(answer.is_ok()),
            }
        }
    })
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
/// is released, too, while somebody writes to it (R1 of the ninth and of the twelfth attack).
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
    swell(&world, "large").await;
    let writer = keep_writing(&world, "large");
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
    assert!(writer.await.unwrap() > 0);
    assert_eq!(release(&world.client, home.options()).await.unwrap(), 0);
}

/// A finalizer of somebody else stays, wherever it stands.
#[tokio::test]
async fn it_comes_and_goes_beside_others() {
    let world = World::new("beside").await;
    let _node = world.run_pods();
    world.create("lite", lite("standard")).await.unwrap();
    world.ready("lite").await;
    let api = world.api::<PdsInstance>();
    let set = async |finalizers: Value| {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        api.patch("lite", &Default::default(), &patch).await.unwrap();
    };
    set(json!(["test/first"])).await;
    world.edit("lite", json!({"deletionPolicy": {"keys": "Delete"}})).await.unwrap();
    finalizer(&world, "lite", true).await;
    set(json!(["test/first", FINALIZER, "test/last"])).await;
    world.edit("lite", json!({"deletionPolicy": null})).await.unwrap();
    finalizer(&world, "lite", false).await;
    let left = api.get("lite").await.unwrap().metadata.finalizers;
    assert_eq!(left.unwrap(), ["test/first", "test/last"]);
    set(json!(null)).await;
}

/// R1 of the twelfth attack: the data went, and the instance stayed for ever.
#[tokio::test]
async fn an_instance_of_any_size_ends_while_somebody_writes_to_it() {
    let world = World::new("swollen").await;
    let _node = world.run_pods();
    let mut spec = lite("standard");
    spec["deletionPolicy"] = json!({"database": "Delete", "keys": "Delete"});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    finalizer(&world, "lite", true).await;
    swell(&world, "lite").await;
    let writer = keep_writing(&world, "lite");
    world.api::<PdsInstance>().delete("lite", &DeleteParams::default()).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    assert!(writer.await.unwrap() > 0);
    world.gone::<Secret>("lite-keys").await;
    world.gone::<PersistentVolumeClaim>("lite-data").await;
}
