//! Pods read Secrets at their start, so they start anew when one changes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams};
use operator_api::{PdsClass, S3Class};
use operator_controller::provision::{Credential, of_class};
use secrecy::SecretString;
use serde_json::json;

use super::harness::{SYSTEM, World, create_class, eventually, variable};
use super::s3;

async fn write(secrets: &Api<Secret>, name: &str, values: &[(&str, &str)]) {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let metadata = ObjectMeta { name: Some(name.into()), ..Default::default() };
    let secret = Secret { metadata, string_data: Some(values), ..Default::default() };
    secrets.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
}

/// What makes pods of the server start anew when it changes.
async fn version(world: &World) -> Option<String> {
    let live = world.api::<Deployment>().get_opt("full").await.ok()??;
    let annotations = live.spec?.template.metadata?.annotations?;
    annotations.get("auroralocus.dev/secrets-version").cloned()
}

async fn changed(world: &World, before: &str) -> String {
    eventually("the pods start anew", async || version(world).await.filter(|now| now != before)).await
}

async fn jobs(world: &World) -> Vec<String> {
    world.api::<Job>().list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn another_database_url_migrates_and_restarts() {
    let world = World::new("url").await;
    let pods = world.run_pods();
    let database = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    let spec = json!({"hostname": "full.test", "className": "real", "database": database});
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
    let conditions = pds.status.unwrap().conditions;
    let message = &conditions.iter().find(|found| found.type_ == "DatabaseReady").unwrap().message;
    assert_eq!(message, "spec.database.external.uriSecret: there is no Secret db with the key url");

    // The Secret carries no label of ours: the name in the spec is enough.
    write(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    world.condition("full", "Ready", "True", "AsExpected").await;
    let (before, first) = (version(&world).await.unwrap(), jobs(&world).await);
    let revision =
        world.api::<Deployment>().get("full").await.unwrap().annotations()["deployment.kubernetes.io/revision"].clone();
    assert_eq!(revision, "1", "the pods started once");
    write(&world.api(), "db", &[("url", "postgres://a@two/pds")]).await;
    changed(&world, &before).await;
    let second = jobs(&world).await;
    assert!(second.iter().any(|job| !first.contains(job)), "{first:?} {second:?}");
    pods.abort();
}

#[tokio::test]
async fn a_lost_credential_is_made_anew() {
    let world = World::new("lost").await;
    let pods = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    let pds = world.condition("full", "Ready", "True", "AsExpected").await;
    let bucket = pds.status.unwrap().blob_store.unwrap().bucket.unwrap();
    let before = version(&world).await.unwrap();
    world.api::<Secret>().delete("full-s3", &DeleteParams::default()).await.unwrap();
    changed(&world, &before).await;
    let data = world.api::<Secret>().get("full-s3").await.unwrap().data.unwrap();
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    let client = s3::client(&text("accessKeyId"), &text("secretAccessKey"));
    client.put_object().bucket(&bucket).key("new").body(b"1".to_vec().into()).send().await.unwrap();
    pods.abort();
}

/// Without users of its own, an instance has a copy of what the class says.
#[tokio::test]
async fn another_credential_of_the_class_reaches_the_pods() {
    let world = World::new("rotate").await;
    let pods = world.run_pods();
    let name = world.namespace.clone();
    let system = Api::<Secret>::namespaced(world.client.clone(), SYSTEM);
    let (id, key) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    write(&system, &name, &[("accessKeyId", &id), ("secretAccessKey", &key)]).await;
    create_class(&world.client, &name, false, &variable("AURORA_TEST_S3_ENDPOINT"), &name, "Static").await;
    world.create("full", json!({"hostname": "full.test", "className": name})).await.unwrap();
    let pds = world.condition("full", "Ready", "True", "AsExpected").await;
    let bucket = pds.status.unwrap().blob_store.unwrap().bucket.unwrap();
    let before = version(&world).await.unwrap();

    // A user that may do everything in this bucket.
    let class = Api::<PdsClass>::all(world.client.clone()).get("real").await.unwrap().spec.s3.unwrap();
    let other = (name.as_str(), "0123456789");
    make_user(&class, &bucket, other).await;
    write(&system, &name, &[("accessKeyId", other.0), ("secretAccessKey", other.1)]).await;
    let now = changed(&world, &before).await;
    let data = world.api::<Secret>().get("full-s3").await.unwrap().data.unwrap();
    assert_eq!(data["accessKeyId"].0, other.0.as_bytes());

    // One that does not work changes nothing for the pods.
    write(&system, &name, &[("accessKeyId", "nobody"), ("secretAccessKey", "nothing")]).await;
    world.condition("full", "BlobStoreReady", "False", "CredentialsInvalid").await;
    assert_eq!(version(&world).await, Some(now));
    let kept = world.api::<Secret>().get("full-s3").await.unwrap().data.unwrap();
    assert_eq!(kept["accessKeyId"].0, other.0.as_bytes());
    system.delete(&name, &DeleteParams::default()).await.unwrap();
    pods.abort();
}

async fn make_user(class: &S3Class, bucket: &str, (id, key): (&str, &str)) {
    let credential =
        |id: &str, key: &str| Credential { access_key_id: id.into(), secret_access_key: SecretString::from(key) };
    let admin = credential(&variable("AURORA_TEST_S3_ACCESS_KEY"), &variable("AURORA_TEST_S3_SECRET_KEY"));
    of_class(class, admin).ensure_credential(bucket, &credential(id, key)).await.unwrap();
    let resources = [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")];
    let all = json!({"Effect": "Allow", "Principal": {"AWS": [id]}, "Action": ["s3:*"], "Resource": resources});
    let policy = json!({"Version": "2012-10-17", "Statement": [all]}).to_string();
    s3::admin().put_bucket_policy().bucket(bucket).policy(policy).send().await.unwrap();
}
