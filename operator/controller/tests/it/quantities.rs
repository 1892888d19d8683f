//! Amounts are numbers, however they are written.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, Patch, PostParams};
use serde_json::{Value, json};

use super::harness::{World, eventually, message};

async fn size(world: &World, name: &str) -> String {
    let claim = world.api::<PersistentVolumeClaim>().get(name).await.unwrap();
    operator_controller::kinds::pds_instance::component::volume::size(&claim).unwrap()
}

/// F61.
#[tokio::test]
async fn amounts_in_any_writing_are_written_once() {
    let world = World::new("amounts").await;
    let _node = world.run_pods();
    let resources = json!({"requests": {"cpu": "1000m", "memory": "1.5Gi"}, "limits": {"memory": "2048Mi"}});
    let spec = json!({
        "hostname": "full.test", "className": "real",
        "database": {"postgres": {"size": "1.5Gi", "resources": resources}},
        "pod": {"resources": resources, "migrationResources": resources},
    });
    world.create("full", spec).await.unwrap();
    world.ready("full").await;
    assert_eq!(size(&world, "data-full-pg-0").await, "1536Mi");
    still(&world, "full", json!({"database": {"postgres": {"size": "1536Mi"}}})).await;
    // The same in other words replaces no pod and migrates nothing.
    let deployments = world.api::<Deployment>();
    let before = deployments.get("full").await.unwrap();
    let other = json!({"requests": {"cpu": "1", "memory": "1536Mi"}, "limits": {"memory": "2Gi"}});
    world.edit("full", json!({"pod": {"resources": other}})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.ready("full").await;
    let after = deployments.get("full").await.unwrap();
    assert_eq!(after.spec, before.spec);
    assert_eq!(after.metadata.generation, before.metadata.generation);
    assert_eq!(world.api::<Job>().list(&Default::default()).await.unwrap().items.len(), 1);
}

/// The API server would take minutes for the Deployment.
#[tokio::test]
async fn an_amount_that_cannot_be_meant_is_refused() {
    let world = World::new("exponent").await;
    for amount in ["1e999999999", "1E100", "-1", "one", "1.5.5", "99999999999999999999"] {
        let spec = json!({
            "hostname": "lite.test", "database": {"sqlite": {}}, "pod": {"resources": {"limits": {"cpu": amount}}},
        });
        let error = world.create("lite", spec).await.unwrap_err().to_string();
        assert!(error.contains("spec.pod.resources.limits.cpu") && error.contains(amount), "{error}");
    }
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}, "pod": {"resources": {"limits": {"cpu": 2, "memory": "129e6"}}}});
    world.create("lite2", spec).await.unwrap();
}

#[tokio::test]
async fn the_same_size_in_other_words_is_no_change() {
    let world = World::new("words").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {"size": "10Gi"}}});
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    still(&world, "lite", json!({"database": {"sqlite": {"size": "10240Mi"}}})).await;
}

/// An edit that means the same: the one write says that it was seen.
async fn still(world: &World, name: &str, change: Value) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.traffic().len();
    let wanted = world.edit(name, change.clone()).await.unwrap().metadata.generation;
    let api = world.api::<operator_api::PdsInstance>();
    eventually("the generation is seen", async || {
        (api.get(name).await.ok()?.status?.observed_generation == wanted).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = world.traffic().split_off(before);
    let writes: Vec<_> = after.iter().filter(|line| !line.starts_with("GET")).collect();
    assert!(writes.len() == 1 && writes[0].ends_with("/status"), "{change}: {writes:?}");
    world.ready(name).await;
}

#[tokio::test]
async fn a_volume_that_somebody_made_larger_is_welcome() {
    let world = World::new("larger").await;
    let _node = world.run_pods();
    let class = storage_class(&world, true).await;
    let database = json!({"sqlite": {"size": "1Gi", "storageClassName": class}});
    world.create("lite", json!({"hostname": "lite.test", "database": database})).await.unwrap();
    world.ready("lite").await;
    bind(&world, "lite-data", "1Gi").await;
    let larger = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "3Gi"}}}}));
    let claims = world.api::<PersistentVolumeClaim>();
    claims.patch("lite-data", &Default::default(), &larger).await.unwrap();
    world.edit("lite", json!({"identity": {"contactEmail": "a@b.test"}})).await.unwrap();
    world.ready("lite").await;
    assert_eq!(size(&world, "lite-data").await, "3Gi");
    // And a wish for less than there is.
    world.edit("lite", json!({"database": {"sqlite": {"size": "2Gi"}}})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.ready("lite").await;
    assert_eq!(size(&world, "lite-data").await, "3Gi");
}

#[tokio::test]
async fn a_volume_grows_where_its_storage_class_allows_it() {
    let world = World::new("grow").await;
    let _node = world.run_pods();
    let class = storage_class(&world, true).await;
    let database = |size: &str| json!({"postgres": {"size": size, "storageClassName": class}});
    let spec = json!({"hostname": "full.test", "className": "real", "database": database("1Gi")});
    world.create("full", spec).await.unwrap();
    world.ready("full").await;
    bind(&world, "data-full-pg-0", "1Gi").await;
    world.edit("full", json!({"database": database("2.5Gi")})).await.unwrap();
    eventually("the volume is asked to grow", async || {
        (size(&world, "data-full-pg-0").await == "2560Mi").then_some(())
    })
    .await;
    world.ready("full").await;
}

#[tokio::test]
async fn growth_that_the_storage_class_does_not_allow_is_named_and_stops_nothing() {
    let world = World::new("fixed").await;
    let _node = world.run_pods();
    let class = storage_class(&world, false).await;
    let database = |size: &str| json!({"sqlite": {"size": size, "storageClassName": class}});
    world.create("lite", json!({"hostname": "lite.test", "database": database("1Gi")})).await.unwrap();
    world.ready("lite").await;
    bind(&world, "lite-data", "1Gi").await;
    world.edit("lite", json!({"database": database("2Gi")})).await.unwrap();
    let pds = world.condition("lite", "DatabaseReady", "False", "InvalidSpec").await;
    let why = format!(
        "spec.database: size \"2Gi\"; the volume has \"1Gi\" and its StorageClass {class:?} does not allow it to grow"
    );
    assert_eq!(message(&pds, "DatabaseReady"), why);
    world.condition("lite", "Stalled", "True", "InvalidSpec").await;
    assert_eq!(size(&world, "lite-data").await, "1Gi");
    let other = json!({"sqlite": {"size": "1Gi", "storageClassName": "other"}});
    world.edit("lite", json!({"database": other})).await.unwrap();
    let pds = eventually("the other class is named", async || {
        let pds = world.api::<operator_api::PdsInstance>().get("lite").await.ok()?;
        message(&pds, "DatabaseReady").contains("storageClassName").then_some(pds)
    })
    .await;
    let why = format!("spec.database: storageClassName \"other\"; the volume exists with {class:?}");
    assert_eq!(message(&pds, "DatabaseReady"), why);
    world.edit("lite", json!({"database": database("1Gi")})).await.unwrap();
    world.ready("lite").await;
}

async fn storage_class(world: &World, grows: bool) -> String {
    let class = json!({
        "metadata": {"name": world.namespace}, "provisioner": "none.test", "allowVolumeExpansion": grows,
    });
    let classes = Api::<StorageClass>::all(world.client.clone());
    classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    world.namespace.clone()
}

/// What a provisioner would do. Only a bound claim may grow.
async fn bind(world: &World, name: &str, size: &str) {
    use k8s_openapi::api::core::v1::PersistentVolume;
    let claim = world.api::<PersistentVolumeClaim>().get(name).await.unwrap();
    let volume = format!("{}-{name}", world.namespace);
    let reference = json!({"namespace": world.namespace, "name": name, "uid": claim.metadata.uid});
    let spec = json!({
        "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "claimRef": reference,
        "hostPath": {"path": "/none"}, "storageClassName": claim.spec.unwrap().storage_class_name,
    });
    let object = serde_json::from_value(json!({"metadata": {"name": volume}, "spec": spec})).unwrap();
    let volumes = Api::<PersistentVolume>::all(world.client.clone());
    volumes.create(&PostParams::default(), &object).await.unwrap();
    eventually("the volume is bound", async || {
        let claim = world.api::<PersistentVolumeClaim>().get(name).await.ok()?;
        (claim.status?.phase? == "Bound").then_some(())
    })
    .await;
}
