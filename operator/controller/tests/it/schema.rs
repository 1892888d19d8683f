//! What the API server refuses by itself.

use serde_json::{Value, json};

use super::harness::World;

async fn refused(world: &World, spec: Value, why: &str) {
    let error = world.create("bad", spec.clone()).await.unwrap_err().to_string();
    assert!(error.contains(why), "{spec}: {error}");
}

#[tokio::test]
async fn contradictions_are_refused() {
    let world = World::new("schema").await;
    let two = json!({"hostname": "a.test", "database": {"sqlite": {}, "postgres": {}}});
    refused(&world, two, "exactly one of postgres, external, sqlite").await;
    let none = json!({"hostname": "a.test", "database": {}});
    refused(&world, none, "exactly one of postgres, external, sqlite").await;
    let replicas = json!({"hostname": "a.test", "database": {"sqlite": {}}, "replicas": 2});
    refused(&world, replicas, "at most 1 with database.sqlite").await;
    refused(&world, json!({"hostname": "a.test", "blobStore": {"disk": {}}}), "only with database.sqlite").await;
    refused(&world, json!({"hostname": "a.test", "blobStore": {}}), "exactly one of s3, disk").await;
    refused(&world, json!({"hostname": "NoName"}), "spec.hostname").await;
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let world = World::new("immutable").await;
    world.create("same", json!({"hostname": "a.test", "database": {"sqlite": {}}})).await.unwrap();
    let pds = world.condition("same", "KeysReady", "True", "AsExpected").await;
    let api = world.api::<operator_api::PdsInstance>();
    for (change, why) in [
        (json!({"hostname": "b.test"}), "hostname: immutable"),
        (json!({"className": "standard"}), "className: immutable"),
        (json!({"database": null}), "database: the kind is immutable"),
        (json!({"database": {"sqlite": null, "postgres": {}}}), "database: the kind is immutable"),
    ] {
        let patch = kube::api::Patch::Merge(json!({"spec": change}));
        let name = pds.metadata.name.as_deref().unwrap();
        let error = api.patch(name, &kube::api::PatchParams::default(), &patch).await.unwrap_err().to_string();
        assert!(error.contains(why), "{change}: {error}");
    }
}
