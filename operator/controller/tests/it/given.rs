//! The provisioner `Given`: the instance brings a bucket in a Secret, and the operator touches no S3 service.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch};
use operator_api::PdsClass;
use operator_object_store::{MARKER_KEY, bucket_name};
use serde_json::json;

use super::harness::{World, bucket, eventually, message, variable, write_secret};
use super::s3;
use super::secrets::{changed, version};

async fn class(world: &World) -> String {
    let store =
        json!({"provisioner": "Given", "adminSecretName": null, "endpoint": variable("AURORA_TEST_S3_ENDPOINT")});
    world.class(json!({"objectStore": store})).await
}

#[tokio::test]
async fn a_bucket_that_the_instance_brings_is_used_and_neither_made_nor_deleted() {
    let world = World::new("given").await;
    let _node = world.run_pods();
    let class = class(&world).await;
    let spec = json!({
        "hostname": "full.test", "className": class, "blobStore": {"s3": {"secretName": "mine"}},
        "deletionPolicy": {"database": "Delete", "blobs": "Delete", "keys": "Delete"},
    });
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "ClassAccepted", "False", "CredentialsInvalid").await;
    assert_eq!(message(&pds, "ClassAccepted"), "spec.blobStore.s3.secretName: there is no Secret mine");

    let name = format!("given-{}", world.namespace);
    let (endpoint, id) = (variable("AURORA_TEST_S3_ENDPOINT"), variable("AURORA_TEST_S3_ACCESS_KEY"));
    let mut values = vec![
        ("bucket", name.as_str()),
        ("endpoint", endpoint.as_str()),
        ("accessKeyId", id.as_str()),
        ("secretAccessKey", "not-looked-at"),
    ];
    write_secret(&world.api(), "mine", &values).await;
    let missing = eventually("the missing key is named", async || {
        let pds = world.api::<operator_api::PdsInstance>().get("full").await.ok()?;
        let message = message(&pds, "ClassAccepted");
        message.contains("region").then_some(message)
    })
    .await;
    assert!(
        missing.starts_with("spec.blobStore.s3.secretName: Secret mine: region is missing: allowed is"),
        "{missing}"
    );

    values.push(("region", "eu-1"));
    values[1].1 = "http://169.254.169.254";
    write_secret(&world.api(), "mine", &values).await;
    let pds = world.condition("full", "Stalled", "True", "NotAllowed").await;
    let why =
        format!("spec.blobStore.s3.secretName: Secret mine names another endpoint; its PdsClass allows {endpoint}");
    assert_eq!(message(&pds, "ClassAccepted"), why);

    values[1].1 = endpoint.as_str();
    write_secret(&world.api(), "mine", &values).await;
    let pds = world.ready("full").await;
    assert_eq!(bucket(&pds), name);
    // Bucket and endpoint are a tenant's words: no administrator's credential may ever be used with them.
    assert_eq!(pds.status.unwrap().resolved.and_then(|resolved| resolved.bucket), None);
    let provisioner = Patch::Merge(json!({"spec": {"objectStore": {"provisioner": "Versitygw"}}}));
    let classes = Api::<PdsClass>::all(world.client.clone());
    let refused = classes.patch(&class, &Default::default(), &provisioner).await.unwrap_err().to_string();
    assert!(refused.contains("spec.objectStore.provisioner: \"Versitygw\"; immutable"), "{refused}");
    let derived = bucket_name(None, &world.namespace, "full");
    for bucket in [&name, &derived] {
        assert!(!s3::exists(bucket).await && !s3::user_exists(bucket).await, "{bucket}");
    }
    assert!(world.api::<Secret>().get_opt("full-s3").await.unwrap().is_none());
    let live = world.api::<Deployment>().get("full").await.unwrap();
    let env = live.spec.unwrap().template.spec.unwrap().containers.remove(0).env.unwrap();
    let region = env.iter().find(|env| env.name == "PDS_BLOBSTORE_S3_REGION").unwrap();
    assert_eq!(region.value.as_deref(), Some("eu-1"));
    let key = env.iter().find(|env| env.name == "PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY").unwrap();
    assert_eq!(key.value_from.as_ref().unwrap().secret_key_ref.as_ref().unwrap().name, "mine");

    // A rotated key reaches the pods.
    let before = version(&world).await.unwrap();
    values[3].1 = "another";
    write_secret(&world.api(), "mine", &values).await;
    changed(&world, &before).await;
    world.ready("full").await;

    s3::admin().create_bucket().bucket(&name).send().await.unwrap();
    s3::put(&name, MARKER_KEY).await;
    world.delete("full").await;
    assert!(s3::exists(&name).await, "what was given is not deleted");
    assert!(world.api::<Secret>().get_opt("mine").await.unwrap().is_some());
}

#[tokio::test]
async fn a_class_that_makes_buckets_takes_no_secret_and_one_that_does_not_needs_one() {
    let world = World::new("which").await;
    let spec = json!({
        "hostname": "a.test", "className": "real", "blobStore": {"s3": {"secretName": "mine"}},
    });
    world.create("a", spec).await.unwrap();
    let pds = world.condition("a", "Stalled", "True", "InvalidSpec").await;
    let why = "spec.blobStore.s3.secretName: \"mine\"; PdsClass \"real\" makes buckets itself";
    assert!(message(&pds, "Stalled").starts_with(why), "{}", message(&pds, "Stalled"));
    let class = class(&world).await;
    world.create("b", json!({"hostname": "b.test", "className": class})).await.unwrap();
    let pds = world.condition("b", "Stalled", "True", "InvalidSpec").await;
    assert!(message(&pds, "Stalled").starts_with("spec.blobStore.s3.secretName: absent;"));
}

/// A change of the class's `secretLabels` is noticed without a change of the Secret.
#[tokio::test]
async fn secrets_that_a_spec_names_carry_the_labels_that_the_class_asks_for() {
    let world = World::new("label").await;
    let class = world.class(json!({"allowed": {"secretLabels": {"aurora": "yes"}}})).await;
    write_secret(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    let database = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    world.create("full", json!({"hostname": "full.test", "className": class, "database": database})).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "NotAllowed").await;
    let why = "spec.database.external.uriSecret: Secret db lacks the label aurora=yes that its PdsClass asks for";
    assert_eq!(message(&pds, "DatabaseReady"), why);
    let label = kube::api::Patch::Merge(json!({"metadata": {"labels": {"aurora": "yes"}}}));
    world.api::<Secret>().patch("db", &Default::default(), &label).await.unwrap();
    world.condition("full", "DatabaseReady", "True", "AsExpected").await;
}
