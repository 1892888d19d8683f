//! Pods read Secrets at their start, so they start anew when one changes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::harness::{World, bucket, eventually, message, write_secret};
use super::s3;

/// What makes pods of the server start anew when it changes.
pub(crate) async fn version(world: &World) -> Option<String> {
    let live = world.api::<Deployment>().get_opt("full").await.ok()??;
    let annotations = live.spec?.template.metadata?.annotations?;
    annotations.get("auroralocus.dev/secrets-version").cloned()
}

pub(crate) async fn changed(world: &World, before: &str) -> String {
    eventually("the pods start anew", async || version(world).await.filter(|now| now != before)).await
}

async fn jobs(world: &World) -> Vec<String> {
    world.api::<Job>().list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn another_database_url_migrates_and_restarts() {
    let world = World::new("url").await;
    let _node = world.run_pods();
    let database = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    let spec = json!({"hostname": "full.test", "className": "real", "database": database});
    world.create("full", spec).await.unwrap();
    let pds = world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
    assert_eq!(
        message(&pds, "DatabaseReady"),
        "spec.database.external.uriSecret: there is no Secret db with the key url"
    );

    // The Secret carries no label of ours: the name in the spec is enough.
    write_secret(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    world.condition("full", "Ready", "True", "AsExpected").await;
    let (before, first) = (version(&world).await.unwrap(), jobs(&world).await);
    let revision =
        world.api::<Deployment>().get("full").await.unwrap().annotations()["deployment.kubernetes.io/revision"].clone();
    assert_eq!(revision, "1", "the pods started once");
    write_secret(&world.api(), "db", &[("url", "postgres://a@two/pds")]).await;
    changed(&world, &before).await;
    let second = jobs(&world).await;
    assert!(second.iter().any(|job| !first.contains(job)), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_lost_credential_is_written_again() {
    let world = World::new("lost").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    let pds = world.condition("full", "Ready", "True", "AsExpected").await;
    let bucket = bucket(&pds);
    let before = version(&world).await;
    let secrets = world.api::<Secret>();
    let lost = secrets.get("full-s3").await.unwrap();
    secrets.delete("full-s3", &DeleteParams::default()).await.unwrap();
    let made = eventually("the Secret is back", async || secrets.get("full-s3").await.ok()).await;
    let data = made.data.unwrap();
    let text = |key: &str| String::from_utf8(data[key].0.clone()).unwrap();
    let client = s3::client(&text("accessKeyId"), &text("secretAccessKey"));
    client.put_object().bucket(&bucket).key("new").body(b"1".to_vec().into()).send().await.unwrap();
    world.ready("full").await;
    assert_eq!(lost.data, Some(data.clone()));
    assert_eq!(version(&world).await, before, "what pods have is still right");
}

/// Somebody writes nonsense into it, or the administrator sets another password for the user.
#[tokio::test]
async fn a_credential_that_is_not_the_users_is_replaced() {
    let world = World::new("nonsense").await;
    let _node = world.run_pods();
    world.create("full", json!({"hostname": "full.test", "className": "real"})).await.unwrap();
    world.ready("full").await;
    let secrets = world.api::<Secret>();
    let right = secrets.get("full-s3").await.unwrap().data;
    let nonsense = kube::api::Patch::Merge(json!({"stringData": {"secretAccessKey": "nonsense"}}));
    secrets.patch("full-s3", &Default::default(), &nonsense).await.unwrap();
    eventually("the Secret is right again", async || (secrets.get("full-s3").await.ok()?.data == right).then_some(()))
        .await;
    world.ready("full").await;
}
