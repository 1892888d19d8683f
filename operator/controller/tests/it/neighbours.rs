//! Whoever changes instances all the time slows down itself.

use std::time::Instant;

use operator_api::PdsInstance;
use serde_json::json;

use super::harness::{World, eventually};

/// As many reconciliations of one instance may follow each other, and then one every two seconds.
const BURST: usize = 100;
const EDITS: usize = 500;

/// How often the shared operator has written the status of the restless instance.
fn statuses(world: &World) -> usize {
    world.traffic().iter().filter(|line| line.ends_with("/pdsinstances/wild/status")).count()
}

/// P1 of the ninth attack: each of 48 edits a second was reconciled, and every neighbour waited.
#[tokio::test]
async fn an_instance_that_changes_all_the_time_is_reconciled_now_and_then() {
    let world = World::new("restless").await;
    let other = world.neighbour().await;
    let _node = other.run_pods();
    world.create("wild", json!({"hostname": "wild.test", "className": "nowhere"})).await.unwrap();
    world.condition("wild", "ClassAccepted", "False", "ClassNotFound").await;
    let began = Instant::now();
    let mut last = None;
    for number in 0..EDITS {
        let email = json!({"identity": {"contactEmail": format!("{number}@b.test")}});
        last = world.edit("wild", email).await.unwrap().metadata.generation;
        if number == EDITS / 2 {
            other.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
        }
    }
    eventually("the last edit is seen", async || {
        let status = world.api::<PdsInstance>().get("wild").await.ok()?.status?;
        (status.observed_generation == last).then_some(())
    })
    .await;
    let (told, took) = (statuses(&world), began.elapsed());
    let most = BURST + usize::try_from(took.as_secs()).unwrap() / 2 + 2;
    assert!(told <= most, "{told} in {took:?}");
    other.ready("lite").await;
}
