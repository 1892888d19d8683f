//! Disaster recovery: a namespace made anew, with Secrets from a backup and the same manifests, gets its data back or a stop that says why.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PostParams};
use operator_object_store::{ADOPT_KEY, bucket_name};
use serde_json::{Value, json};

use super::harness::{World, bucket, create_namespace, eventually, message, write_secret};
use super::s3;

fn full() -> Value {
    json!({"hostname": "full.test", "className": "real"})
}

/// What `kubectl get secret -o yaml` gives and `kubectl apply` takes.
async fn backup(world: &World, names: &[&str]) -> Vec<Secret> {
    let mut saved = Vec::new();
    for name in names {
        let mut secret = world.api::<Secret>().get(name).await.unwrap();
        let metadata = &mut secret.metadata;
        (metadata.uid, metadata.resource_version, metadata.creation_timestamp) = (None, None, None);
        metadata.managed_fields = None;
        saved.push(secret);
    }
    saved
}

async fn restore(world: &World, saved: &[Secret]) {
    for secret in saved {
        world.api().create(&PostParams::default(), secret).await.unwrap();
    }
}

/// Ends the namespace with everything in it, and makes it anew.
async fn lose(world: &World) {
    let namespaces = Api::<Namespace>::all(world.client.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    eventually("the namespace is gone", async || {
        namespaces.get_opt(&world.namespace).await.ok()?.is_none().then_some(())
    })
    .await;
    create_namespace(&world.client, &world.namespace).await;
}

/// F48, and F58: nothing holds the namespace up.
#[tokio::test]
async fn restored_keys_find_the_bucket_again() {
    let world = World::new("restore").await;
    let node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let before = world.ready("full").await;
    let bucket_before = bucket(&before);
    s3::put(&bucket_before, "blob").await;
    eventually("the Secret tells what depends on it", async || {
        let annotations = world.api::<Secret>().get("full-keys").await.ok()?.metadata.annotations?;
        let told = |key: &str| annotations.contains_key(&format!("auroralocus.dev/{key}"));
        (told("fingerprint") && told("bucket") && told("postgres-major")).then_some(())
    })
    .await;
    let saved = backup(&world, &["full-keys", "full-pg"]).await;
    drop(node);
    lose(&world).await;
    let _node = world.run_pods();
    restore(&world, &saved).await;
    world.create("full", full()).await.unwrap();
    let after = world.ready("full").await;
    assert_eq!(bucket(&after), bucket_before);
    assert_eq!(after.status.unwrap().keys, before.status.unwrap().keys);
    let objects = s3::admin().list_objects_v2().bucket(&bucket_before).send().await.unwrap();
    assert!(objects.contents().iter().any(|object| object.key() == Some("blob")));
}

/// F48: the class names a service that never had the bucket, and nothing else tells that there were blobs than the Secret of the keys.
#[tokio::test]
async fn a_bucket_that_is_missing_is_not_made_anew() {
    let world = World::new("missing").await;
    let node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let bucket = bucket(&world.ready("full").await);
    let noted = async || {
        let annotations = world.api::<Secret>().get("full-keys").await.ok()?.metadata.annotations?;
        annotations.get("auroralocus.dev/bucket").cloned()
    };
    eventually("the Secret names the bucket", noted).await;
    let saved = backup(&world, &["full-keys", "full-pg"]).await;
    drop(node);
    lose(&world).await;
    s3::delete(&bucket).await;
    let _node = world.run_pods();
    restore(&world, &saved).await;
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "BlobStoreReady", "False", "BucketMissing").await;
    let why = message(&pds, "BlobStoreReady");
    assert!(why.contains(&bucket) && why.contains("create an empty bucket of that name"), "{why}");
    world.condition("full", "Stalled", "True", "BucketMissing").await;
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());
    s3::admin().create_bucket().bucket(&bucket).send().await.unwrap();
    world.ready("full").await;
}

/// F48: a volume is restored before the keys of its data, and only its labels tell whose it is.
#[tokio::test]
async fn a_restored_volume_waits_for_its_keys_and_is_adopted_with_them() {
    let world = World::new("volume").await;
    let node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let before = world.ready("full").await;
    let saved = backup(&world, &["full-keys", "full-pg"]).await;
    let volume = world.api::<PersistentVolumeClaim>().get("data-full-pg-0").await.unwrap();
    drop(node);
    lose(&world).await;
    let _node = world.run_pods();
    let metadata = json!({"name": "data-full-pg-0", "labels": volume.metadata.labels});
    let spec = volume.spec.unwrap();
    let spec = json!({"accessModes": spec.access_modes, "resources": spec.resources});
    let restored = world.make::<PersistentVolumeClaim>(json!({"metadata": metadata, "spec": spec})).await;

    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "KeysReady", "False", "KeySecretMissing").await;
    let why = "Secret full-keys is gone, and data exists that needs its keys; restore the Secret";
    assert_eq!(message(&pds, "KeysReady"), why);
    world.condition("full", "Stalled", "True", "KeySecretMissing").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let secrets = world.api::<Secret>().list(&ListParams::default()).await.unwrap();
    assert_eq!(secrets.items.len(), 0, "no keys and no password are made");
    assert!(world.api::<StatefulSet>().get_opt("full-pg").await.unwrap().is_none());
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());

    restore(&world, &saved).await;
    let after = world.ready("full").await;
    assert_eq!(after.status.unwrap().keys, before.status.unwrap().keys);
    let adopted = world.api::<PersistentVolumeClaim>().list(&ListParams::default()).await.unwrap();
    let uids: Vec<_> = adopted.iter().map(ResourceExt::uid).collect();
    assert_eq!(uids, [restored.uid()], "the same volume and no other");
}

/// F48, with a database that stayed where it was.
#[tokio::test]
async fn restored_secrets_find_an_external_database_and_the_bucket_again() {
    let world = World::new("external").await;
    let node = world.run_pods();
    let url = "postgres://pds:secret@db.example.com/pds";
    write_secret(&world.api(), "db", &[("url", url)]).await;
    let mut spec = full();
    spec["database"] = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    world.create("full", spec.clone()).await.unwrap();
    let before = world.ready("full").await;
    let bucket_before = bucket(&before);
    eventually("the Secret names the bucket", async || {
        let annotations = world.api::<Secret>().get("full-keys").await.ok()?.metadata.annotations?;
        annotations.get("auroralocus.dev/bucket").cloned()
    })
    .await;
    let saved = backup(&world, &["full-keys", "db"]).await;
    drop(node);
    lose(&world).await;
    let _node = world.run_pods();

    // The keys alone: nothing is asked and nothing begins without the URL.
    restore(&world, &saved[..1]).await;
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
    let why = "spec.database.external.uriSecret: there is no Secret db with the key url";
    assert_eq!(message(&pds, "DatabaseReady"), why);
    world.condition("full", "Stalled", "True", "CredentialsInvalid").await;
    assert!(world.api::<Job>().list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());

    restore(&world, &saved[1..]).await;
    let after = world.ready("full").await;
    assert_eq!(bucket(&after), bucket_before);
    assert_eq!(after.status.unwrap().keys, before.status.unwrap().keys);
    let secret = world.api::<Secret>().get("db").await.unwrap();
    assert!(secret.owner_references().is_empty(), "it is still the tenant's");
}

/// What was deleted on purpose is not missed when the instance comes back with its old keys.
#[tokio::test]
async fn keys_that_outlive_bucket_and_database_begin_with_new_ones() {
    let world = World::new("kept").await;
    let _node = world.run_pods();
    let mut spec = full();
    spec["deletionPolicy"] = json!({"blobs": "Delete", "database": "Delete"});
    world.create("full", spec.clone()).await.unwrap();
    let before = bucket(&world.ready("full").await);
    world.delete("full").await;
    assert!(!s3::exists(&before).await);
    let annotations = world.api::<Secret>().get("full-keys").await.unwrap().metadata.annotations.unwrap_or_default();
    let about_data = |key: &String| key.ends_with("/bucket") || key.ends_with("/postgres-major");
    assert_eq!(annotations.keys().find(|key| about_data(key)), None);
    world.create("full", spec).await.unwrap();
    assert_eq!(bucket(&world.ready("full").await), before);
}

#[tokio::test]
async fn other_keys_do_not_get_the_bucket_unless_somebody_hands_it_over() {
    let world = World::new("others").await;
    let node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let bucket = bucket(&world.ready("full").await);
    s3::put(&bucket, "blob").await;
    drop(node);
    lose(&world).await;
    let _node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "BlobStoreReady", "False", "BucketNotOwned").await;
    let why = message(&pds, "BlobStoreReady");
    assert!(why.contains(&bucket) && why.contains(ADOPT_KEY), "{why}");
    world.condition("full", "Stalled", "True", "BucketNotOwned").await;
    assert!(world.api::<Deployment>().get_opt("full").await.unwrap().is_none());

    let word = format!("{}/full", world.namespace);
    s3::admin().put_object().bucket(&bucket).key(ADOPT_KEY).body(word.into_bytes().into()).send().await.unwrap();
    world.ready("full").await;
    let objects = s3::admin().list_objects_v2().bucket(&bucket).send().await.unwrap();
    assert!(objects.contents().iter().any(|object| object.key() == Some("blob")));
}

/// F49.
#[tokio::test]
async fn an_instance_applied_again_with_other_keys_is_stopped() {
    let world = World::new("again").await;
    let _node = world.run_pods();
    world.create("full", full()).await.unwrap();
    let keys = world.ready("full").await.status.unwrap().keys.unwrap().fingerprint.unwrap();
    world.delete("full").await;
    let changed = Patch::Merge(json!({"stringData": {"keyEncryptionKey": "ab".repeat(32)}}));
    world.api::<Secret>().patch("full-keys", &Default::default(), &changed).await.unwrap();
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "KeysReady", "False", "KeysMismatch").await;
    assert!(message(&pds, "KeysReady").contains(&keys), "{}", message(&pds, "KeysReady"));
    world.condition("full", "Stalled", "True", "KeysMismatch").await;
    // What the first instance left is collected, and nothing is made in its place.
    let deployments = world.api::<Deployment>();
    eventually("no pods are left", async || deployments.get_opt("full").await.ok()?.is_none().then_some(())).await;
}

/// The keys are restored from a backup that keeps neither labels nor annotations.
#[tokio::test]
async fn keys_without_our_marks_are_used_and_never_deleted() {
    let world = World::new("bare").await;
    let _node = world.run_pods();
    world.create("full", full()).await.unwrap();
    world.ready("full").await;
    let mut saved = backup(&world, &["full-keys"]).await;
    world.delete("full").await;
    world.api::<Secret>().delete("full-keys", &DeleteParams::default()).await.unwrap();
    (saved[0].metadata.labels, saved[0].metadata.annotations) = (None, None);
    restore(&world, &saved).await;
    let mut spec = full();
    spec["deletionPolicy"] = json!({"keys": "Delete"});
    world.create("full", spec).await.unwrap();
    world.ready("full").await;
    world.delete("full").await;
    assert_eq!(world.api::<Secret>().get("full-keys").await.unwrap().data, saved[0].data);
}

/// A database without the Secret that has its password.
#[tokio::test]
async fn a_database_whose_password_is_gone_is_named() {
    let world = World::new("password").await;
    let _node = world.run_pods();
    world.create("full", full()).await.unwrap();
    world.ready("full").await;
    let saved = backup(&world, &["full-pg"]).await;
    world.delete("full").await;
    world.api::<Secret>().delete("full-pg", &DeleteParams::default()).await.unwrap();
    assert!(world.api::<PersistentVolumeClaim>().get_opt("data-full-pg-0").await.unwrap().is_some());
    world.create("full", full()).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
    let why = "Secret full-pg is gone, and the database exists that has its password; restore the Secret";
    assert_eq!(message(&pds, "DatabaseReady"), why);
    restore(&world, &saved).await;
    world.ready("full").await;
}

/// The bucket follows the name and the keys, and a prefix that the class gets later is for new instances.
#[tokio::test]
async fn a_new_prefix_of_the_class_moves_no_bucket() {
    let world = World::new("prefix").await;
    let _node = world.run_pods();
    let class = world.class(json!({})).await;
    let spec = json!({
        "hostname": "full.test", "className": class, "deletionPolicy": {"blobs": "Delete", "keys": "Delete"},
    });
    world.create("full", spec).await.unwrap();
    let before = bucket(&world.ready("full").await);
    world.class(json!({"objectStore": {"bucketPrefix": "team"}})).await;
    world.create("new", json!({"hostname": "new.test", "className": class})).await.unwrap();
    assert_eq!(bucket(&world.ready("new").await), bucket_name(Some("team"), &world.namespace, "new"));
    assert_eq!(bucket(&world.ready("full").await), before);
    assert!(s3::exists(&before).await);
    world.delete("full").await;
    assert!(!s3::exists(&before).await && !s3::user_exists(&before).await);
    assert!(!s3::user_exists(&bucket_name(Some("team"), &world.namespace, "full")).await);
}
