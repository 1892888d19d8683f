//! Evictions of an instance's pods, as `kubectl drain` asks for them.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, EvictParams, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::environment::config;
use super::harness::{World, eventually};
use super::node::component;

/// The names of the pods of the PDS.
async fn servers(world: &World) -> Vec<String> {
    let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap();
    pods.into_iter().filter(|pod| component(pod) == "pds").map(|pod| pod.name_any()).collect()
}

fn running(is_ready: bool) -> Value {
    let (status, now) = (if is_ready { "True" } else { "False" }, jiff::Timestamp::now().to_string());
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": now}]})
}

/// Waits until the disruption controller has counted this many ready pods of two.
async fn counted(world: &World, ready: i32) {
    eventually(&format!("the budget counts {ready} ready pods"), async || {
        let budget = world.api::<PodDisruptionBudget>().get("full").await.ok()?;
        let (generation, status) = (budget.metadata.generation, budget.status?);
        let is_current = status.observed_generation == generation;
        (is_current && (status.expected_pods, status.current_healthy) == (2, ready)).then_some(())
    })
    .await;
}

/// Asks for the eviction of a pod, once: the usual client would ask again after a refusal. Returns the code of the answer.
async fn evict(world: &World, pod: &str) -> u16 {
    let mut once = config().await;
    once.default_retry = false;
    let pods = Api::<Pod>::namespaced(Client::try_from(once).unwrap(), &world.namespace);
    match pods.evict(pod, &EvictParams::default()).await {
        Ok(status) => status.code,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{pod}: {error}"),
    }
}

/// F53.
#[tokio::test]
async fn pods_that_are_not_ready_leave_a_node_and_the_last_ready_one_stays() {
    let world = World::new("evictions").await;
    let _node = world.run_pods_of(&["postgres", "migrate"]);
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    let pods = eventually("two pods of the PDS", async || {
        let pods = servers(&world).await;
        (pods.len() == 2).then_some(pods)
    })
    .await;
    let [first, second] = &pods[..] else { panic!("{pods:?}") };

    world.pod_says(first, running(true)).await;
    world.pod_says(second, running(true)).await;
    counted(&world, 2).await;
    world.pod_says(second, running(false)).await;
    counted(&world, 1).await;
    assert_eq!(evict(&world, first).await, 429, "the only pod that serves");

    world.pod_says(first, running(false)).await;
    counted(&world, 0).await;
    assert_eq!(evict(&world, first).await, 201);
    assert_eq!(evict(&world, second).await, 201);
}
