//! Two installations in one cluster: each one leaves the instances of the other's classes alone.

use std::time::Duration;

use kube::api::{DeleteParams, Patch};
use operator_api::PdsInstance;
use operator_controller::kinds::pds_instance::finalizer::FINALIZER;
use serde_json::{Value, json};

use super::harness::{World, eventually};
use super::home::Home;
use super::unreadable::{api, audit};

fn lite(class: &str) -> Value {
    let deletes = json!({"database": "Delete", "keys": "Delete"});
    json!({"hostname": "lite.test", "className": class, "database": {"sqlite": {}}, "deletionPolicy": deletes})
}

fn writes(traffic: &[String]) -> Vec<&String> {
    traffic.iter().filter(|line| !line.starts_with("GET ")).collect()
}

/// From its creation to its end.
#[tokio::test]
async fn an_instance_of_another_controllers_class_is_not_written_about() {
    let world = World::new("ours").await;
    let home = Home::new(&world, json!({})).await;
    let process = home.start(None).await;
    let _node = world.run_pods();
    world.create("lite", lite(&home.class)).await.unwrap();
    world.ready("lite").await;
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    world.delete("lite").await;
    let nothing = Vec::<&String>::new();
    assert_eq!(writes(&world.traffic()), nothing, "the shared operator serves this namespace and another name");
    let seen = process.gate.traffic(&world.namespace).len();
    assert!(seen > 0);

    // The other way round.
    world.create("lite", lite("standard")).await.unwrap();
    world.ready("lite").await;
    world.delete("lite").await;
    assert_eq!(writes(&process.gate.traffic(&world.namespace).split_off(seen)), nothing);
    assert_ne!(writes(&world.traffic()), nothing);
}

/// Two operators that both ended it would both delete its data.
#[tokio::test]
async fn an_instance_of_another_controllers_class_that_cannot_be_read_is_left_to_the_other() {
    let world = World::alone("theirs").await;
    let home = Home::new(&world, json!({})).await;
    world.create("lite", lite(&home.class)).await.unwrap();
    let held = Patch::Merge(json!({"metadata": {"finalizers": [FINALIZER]}}));
    world.api::<PdsInstance>().patch("lite", &Default::default(), &held).await.unwrap();
    audit(&world, "lite").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let raw = api(&world);
    raw.delete("lite", &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(writes(&world.traffic()), Vec::<&String>::new());
    assert!(raw.get_opt("lite").await.unwrap().is_some());
    let _process = home.start(None).await;
    eventually("it is gone", async || raw.get_opt("lite").await.ok()?.is_none().then_some(())).await;
}
