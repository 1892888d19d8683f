//! A deletion with the policy `Orphan`: nothing runs on without an instance.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use operator_api::PdsInstance;
use serde_json::json;

use super::harness::{World, bucket, eventually};
use super::s3;

#[tokio::test]
async fn what_an_instance_leaves_without_an_owner_is_deleted_and_its_data_stays() {
    let world = World::new("orphans").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}});
    world.create("lite", spec.clone()).await.unwrap();
    world.ready("lite").await;
    let account = world.api::<ServiceAccount>().get("lite-pds").await.unwrap().uid();
    world.api::<PdsInstance>().delete("lite", &DeleteParams::orphan()).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    world.gone::<Deployment>("lite").await;
    world.gone::<Service>("lite").await;
    world.gone::<Service>("lite-metrics").await;
    world.gone::<NetworkPolicy>("lite").await;
    world.gone::<ServiceAccount>("lite-pds").await;
    assert!(world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_some());
    assert!(world.api::<PersistentVolumeClaim>().get_opt("lite-data").await.unwrap().is_some());
    world.create("lite", spec).await.unwrap();
    world.ready("lite").await;
    assert_ne!(world.api::<ServiceAccount>().get("lite-pds").await.unwrap().uid(), account);
}

/// An instance of the same name waits for what an earlier one left, and needs nobody.
#[tokio::test]
async fn an_instance_that_is_applied_again_at_once_gets_its_names() {
    let world = World::new("orphan-again").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}});
    world.create("lite", spec.clone()).await.unwrap();
    let first = world.ready("lite").await.uid();
    world.api::<PdsInstance>().delete("lite", &DeleteParams::orphan()).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    world.create("lite", spec).await.unwrap();
    let second = world.ready("lite").await;
    assert_ne!(second.uid(), first);
    let live = world.api::<Deployment>().get("lite").await.unwrap();
    assert_eq!(live.owner_references()[0].uid, second.uid().unwrap());
}

/// Kubernetes takes the owner away while the operator deletes data: the pods still end first.
#[tokio::test]
async fn data_is_deleted_after_the_pods_also_where_they_lost_their_owner() {
    let world = World::new("orphan-all").await;
    let _node = world.run_pods();
    let policy = json!({"database": "Delete", "blobs": "Delete", "keys": "Delete"});
    let spec = json!({
        "hostname": "lite.test", "className": "real", "database": {"sqlite": {}}, "blobStore": {"s3": {}},
        "deletionPolicy": policy,
    });
    world.create("lite", spec).await.unwrap();
    let bucket = bucket(&world.ready("lite").await);
    let (deployments, parameters) = (world.api::<Deployment>(), PatchParams::default());
    let hold = Patch::Merge(json!({"metadata": {"finalizers": ["test/hold"]}}));
    deployments.patch("lite", &parameters, &hold).await.unwrap();
    world.api::<PdsInstance>().delete("lite", &DeleteParams::orphan()).await.unwrap();
    eventually("the Deployment has no owner and is told to end", async || {
        let live = deployments.get("lite").await.ok()?;
        (live.owner_references().is_empty() && live.metadata.deletion_timestamp.is_some()).then_some(())
    })
    .await;
    world.condition("lite", "Ready", "False", "BeingDeleted").await;
    assert!(s3::exists(&bucket).await && world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_some());
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    deployments.patch("lite", &parameters, &release).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    assert!(!s3::exists(&bucket).await);
    world.gone::<Secret>("lite-keys").await;
}

/// Somebody removes an owner reference by hand: the instance takes its object back.
#[tokio::test]
async fn an_object_whose_owner_was_removed_is_taken_back() {
    let world = World::new("torn").await;
    let _node = world.run_pods();
    world.create("lite", json!({"hostname": "lite.test", "database": {"sqlite": {}}})).await.unwrap();
    let uid = world.ready("lite").await.uid();
    let services = world.api::<Service>();
    let before = services.get("lite").await.unwrap().uid();
    let torn = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
    services.patch("lite", &PatchParams::default(), &torn).await.unwrap();
    eventually("it has its owner again", async || {
        let live = services.get("lite").await.ok()?;
        (live.uid() == before && live.owner_references().first().map(|owner| owner.uid.clone()) == uid).then_some(())
    })
    .await;
    world.ready("lite").await;
}
