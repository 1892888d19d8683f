//! What goes with an instance and what stays.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use operator_api::{PdsClass, PdsInstance};
use operator_object_store::{MARKER_KEY, bucket_name};
use serde_json::{Value, json};

use super::harness::{SYSTEM, World, bucket, eventually, message};
use super::s3;

/// Far more than it takes, so that a busy machine fails no test.
const SOON: Duration = Duration::from_secs(30);

fn everything() -> Value {
    json!({"database": "Delete", "blobs": "Delete", "keys": "Delete"})
}

/// Versions, delete markers, and uploads that nobody finished.
async fn fill(bucket: &str) {
    let admin = s3::admin();
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    admin.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await.unwrap();
    for number in 0..20 {
        s3::put(bucket, &format!("a/{number}")).await;
        s3::put(bucket, &format!("a/{number}")).await;
    }
    admin.delete_object().bucket(bucket).key("a/1").send().await.unwrap();
    for key in ["a/2", "b"] {
        let upload = admin.create_multipart_upload().bucket(bucket).key(key).send().await.unwrap();
        let part = admin.upload_part().bucket(bucket).key(key).set_upload_id(upload.upload_id).part_number(1);
        part.body(b"part".to_vec().into()).send().await.unwrap();
    }
}

#[tokio::test]
async fn everything_goes_where_the_policy_says_so_and_soon() {
    let world = World::new("gone").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "gone.test", "className": "real", "deletionPolicy": everything()});
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "Ready", "True", "AsExpected").await;
    let bucket = bucket(&pds);
    assert!(s3::user_exists(&bucket).await);
    fill(&bucket).await;

    // How soon pods end is up to others; the operator adds little before and after.
    let (api, deployments, databases) =
        (world.api::<PdsInstance>(), world.api::<Deployment>(), world.api::<StatefulSet>());
    api.delete("full", &DeleteParams::default()).await.unwrap();
    let told = Instant::now();
    eventually("the server is told to end", async || match deployments.get_opt("full").await.ok()? {
        Some(live) => live.metadata.deletion_timestamp.map(drop),
        None => Some(()),
    })
    .await;
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    eventually("the server is gone", async || deployments.get_opt("full").await.ok()?.is_none().then_some(())).await;
    eventually("the database is gone", async || databases.get_opt("full-pg").await.ok()?.is_none().then_some(())).await;
    let stopped = Instant::now();
    eventually("the instance is gone", async || api.get_opt("full").await.ok()?.is_none().then_some(())).await;
    assert!(stopped.elapsed() < SOON, "{:?}", stopped.elapsed());
    assert!(!s3::exists(&bucket).await);
    assert!(!s3::user_exists(&bucket).await);
    eventually("data is gone", async || {
        let secrets = world.api::<Secret>().list(&ListParams::default()).await.ok()?.items;
        let volumes = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.ok()?.items;
        let pods = world.api::<Pod>().list(&ListParams::default()).await.ok()?.items;
        (secrets.is_empty() && volumes.is_empty() && pods.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_ends_before_its_database() {
    let world = World::new("order").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "order.test", "className": "real", "deletionPolicy": everything()});
    world.create("full", spec).await.unwrap();
    world.condition("full", "Ready", "True", "AsExpected").await;
    // Something holds the server up on its way out.
    let hold = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let deployments = world.api::<Deployment>();
    deployments.patch("full", &PatchParams::default(), &hold(json!(["test/hold"]))).await.unwrap();
    world.api::<PdsInstance>().delete("full", &DeleteParams::default()).await.unwrap();
    eventually("the server is told to end", async || {
        deployments.get("full").await.ok()?.metadata.deletion_timestamp.map(drop)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.api::<StatefulSet>().get("full-pg").await.unwrap().metadata.deletion_timestamp.is_none());
    deployments.patch("full", &PatchParams::default(), &hold(json!(null))).await.unwrap();
    world.gone::<PdsInstance>("full").await;
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_neither_used_nor_deleted() {
    let world = World::new("foreign").await;
    let class = world.class(json!({"allowed": {"bucketNames": true}})).await;
    let bucket = format!("foreign-{}", uuid::Uuid::new_v4().simple());
    s3::admin().create_bucket().bucket(&bucket).send().await.unwrap();
    s3::put(&bucket, "theirs").await;
    let spec = json!({
        "hostname": "foreign.test", "className": class, "database": {"sqlite": {}},
        "blobStore": {"s3": {"bucket": bucket}}, "deletionPolicy": everything(),
    });
    world.create("thief", spec).await.unwrap();
    let pds = world.condition("thief", "Stalled", "True", "BucketNotOwned").await;
    let message = message(&pds, "BlobStoreReady");
    let handed_over = format!("with the content {}/thief into it", world.namespace);
    assert!(message.contains(&bucket) && message.contains(MARKER_KEY) && message.ends_with(&handed_over), "{message}");
    assert!(world.api::<Deployment>().get_opt("thief").await.unwrap().is_none());
    world.delete("thief").await;
    let objects = s3::admin().list_objects_v2().bucket(&bucket).send().await.unwrap();
    assert_eq!(objects.key_count(), Some(1));
    assert!(!s3::user_exists(&bucket_name(None, &world.namespace, "thief")).await);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_deleted_is_told_and_can_be_retained() {
    let world = World::new("orphan").await;
    let class = world.class(json!({})).await;
    let spec = json!({
        "hostname": "orphan.test", "className": class, "database": {"sqlite": {}},
        "blobStore": {"s3": {}}, "deletionPolicy": everything(),
    });
    world.create("orphan", spec).await.unwrap();
    let pds = world.condition("orphan", "BlobStoreReady", "True", "AsExpected").await;
    let bucket = bucket(&pds);
    Api::<PdsClass>::all(world.client.clone()).delete(&class, &DeleteParams::default()).await.unwrap();
    world.api::<PdsInstance>().delete("orphan", &DeleteParams::default()).await.unwrap();
    let events = world.api::<Event>();
    let note = eventually("an Event tells why", async || {
        let all = events.list(&ListParams::default()).await.ok()?;
        all.into_iter().find(|event| event.reason.as_deref() == Some("CleanupFailed"))?.note
    })
    .await;
    assert!(note.contains(&bucket) && note.contains("spec.deletionPolicy.blobs to Retain"), "{note}");
    world.condition("orphan", "Ready", "False", "CleanupFailed").await;
    world.edit("orphan", json!({"deletionPolicy": {"blobs": "Retain"}})).await.unwrap();
    world.gone::<PdsInstance>("orphan").await;
    assert!(s3::exists(&bucket).await);
}

/// F66.
#[tokio::test]
async fn an_object_store_that_is_away_at_the_end_is_told_in_one_sentence() {
    let world = World::new("away").await;
    let mut door = s3::Door::open().await;
    let class = world.class(json!({"objectStore": {"endpoint": door.endpoint()}})).await;
    let spec = json!({
        "hostname": "away.test", "className": class, "database": {"sqlite": {}}, "blobStore": {"s3": {}},
        "deletionPolicy": everything(),
    });
    world.create("away", spec).await.unwrap();
    let bucket = bucket(&world.condition("away", "BlobStoreReady", "True", "AsExpected").await);
    door.close().await;
    world.api::<PdsInstance>().delete("away", &DeleteParams::default()).await.unwrap();
    let pds = world.condition("away", "Ready", "False", "CleanupFailed").await;
    let why = message(&pds, "Ready");
    let start =
        format!("bucket {bucket} of PdsClass {class} cannot be deleted: the object store at {}", door.endpoint());
    assert!(why.starts_with(&start), "{why}");
    let end = "; the operator tries again; set spec.deletionPolicy.blobs to Retain to end without it";
    assert!(why.ends_with(end) && why.len() < 450, "{} bytes: {why}", why.len());
    for code in ["Error", "{", "source", "hyper"] {
        assert!(!why.contains(code), "{code}: {why}");
    }
    world.event("CleanupFailed", &start).await;
    assert!(s3::exists(&bucket).await);
    door.open_again().await;
    world.gone::<PdsInstance>("away").await;
    assert!(!s3::exists(&bucket).await);
}

#[tokio::test]
async fn volumes_and_keys_go_where_the_policy_says_so() {
    let world = World::new("delete").await;
    let _node = world.run_pods();
    let spec = json!({"hostname": "lite.test", "database": {"sqlite": {}}, "deletionPolicy": everything()});
    world.create("lite", spec).await.unwrap();
    world.condition("lite", "Ready", "True", "AsExpected").await;
    world.delete("lite").await;
    assert!(world.api::<Secret>().get_opt("lite-keys").await.unwrap().is_none());
    world.gone::<PersistentVolumeClaim>("lite-data").await;
}

#[tokio::test]
async fn an_instance_without_a_bucket_needs_no_class_to_end() {
    let world = World::new("classless").await;
    let spec = json!({"hostname": "lost.test", "className": "nowhere", "deletionPolicy": everything()});
    world.create("lost", spec).await.unwrap();
    world.condition("lost", "Stalled", "True", "ClassNotFound").await;
    world.delete("lost").await;
    assert!(Api::<Secret>::namespaced(world.client.clone(), SYSTEM).get_opt("s3-real").await.unwrap().is_some());
}

/// H5 of the sixth attack: an Event and a try every ten seconds for as long as nobody looks.
#[tokio::test]
async fn a_clean_up_that_fails_is_told_once_and_tried_after_longer_and_longer_pauses() {
    let world = World::new("retry").await;
    let class = world.class(json!({})).await;
    let spec = json!({
        "hostname": "retry.test", "className": class, "database": {"sqlite": {}}, "blobStore": {"s3": {}},
        "deletionPolicy": {"blobs": "Delete"},
    });
    world.create("lite", spec).await.unwrap();
    let bucket = bucket(&world.condition("lite", "BlobStoreReady", "True", "AsExpected").await);
    world.api::<Secret>().delete("lite-keys", &DeleteParams::default()).await.unwrap();
    world.condition("lite", "KeysReady", "False", "KeySecretMissing").await;
    world.api::<PdsInstance>().delete("lite", &DeleteParams::default()).await.unwrap();
    world.condition("lite", "Ready", "False", "CleanupFailed").await;
    let path = format!("/namespaces/{}/", world.namespace);
    // What each try asks for first.
    let tries = || world.traffic().iter().filter(|line| line.ends_with("/deployments/lite")).count();
    let first = tries();
    eventually("it is tried again", async || (tries() >= first + 4).then_some(())).await;
    let told = world.event("CleanupFailed", &bucket).await;
    assert!(told.contains("is gone; restore the Secret"), "{told}");
    let events = world.api::<Event>().list(&ListParams::default()).await.unwrap();
    let cleanups: Vec<_> = events.iter().filter(|event| event.reason.as_deref() == Some("CleanupFailed")).collect();
    assert_eq!(cleanups.len(), 1);
    assert!(cleanups[0].series.is_none(), "{:?}", cleanups[0].series);
    assert!(world.traffic().iter().any(|line| line.contains(&path)));
    world.edit("lite", json!({"deletionPolicy": {"blobs": "Retain"}})).await.unwrap();
    world.gone::<PdsInstance>("lite").await;
    s3::delete(&bucket).await;
}
