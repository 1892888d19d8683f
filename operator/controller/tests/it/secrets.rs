//! Pods read Secrets at their start, so they start anew when one changes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use operator_api::PdsInstance;
use serde_json::json;

use super::harness::{World, bucket, eventually, message, write_secret};
use super::node::{component, ended};
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

/// F62.
#[tokio::test]
async fn a_database_url_that_becomes_wrong_is_told_from_the_job_and_pods_go_on() {
    let world = World::new("wrong").await;
    let node = world.run_pods();
    write_secret(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    let database = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    world.create("full", json!({"hostname": "full.test", "className": "real", "database": database})).await.unwrap();
    world.ready("full").await;
    let (before, first) = (version(&world).await.unwrap(), jobs(&world).await);
    drop(node);

    write_secret(&world.api(), "db", &[("url", "postgres://a@nowhere/pds")]).await;
    let pod = eventually("another Job asks the database", async || {
        let pods = world.api::<Pod>().list(&ListParams::default()).await.ok()?;
        let waits = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Pending"));
        pods.into_iter().find(|pod| component(pod) == "migrate" && waits(pod))
    })
    .await;
    let why = "PDS_DATABASE_URL: the server \"nowhere\" is not found; allowed: postgres://USER:PASSWORD@HOST/DATABASE";
    let report = json!({"error": {"reason": "InvalidSettings", "message": why}}).to_string();
    world.pod_says(&pod.name_any(), ended(&pod, 78, &report)).await;
    let pds = world.condition("full", "SchemaMigrated", "False", "CredentialsInvalid").await;
    let told = message(&pds, "SchemaMigrated");
    assert!(told.starts_with("Job full-migrate-") && told.ends_with(why), "{told}");
    world.condition("full", "Ready", "False", "CredentialsInvalid").await;
    world.condition("full", "Stalled", "True", "CredentialsInvalid").await;
    world.event("CredentialsInvalid", why).await;
    assert_eq!(version(&world).await, Some(before.clone()), "the pods that serve are left alone");

    write_secret(&world.api(), "db", &[("url", "postgres://a@one/pds")]).await;
    let _node = world.run_pods();
    world.ready("full").await;
    assert_eq!((jobs(&world).await, version(&world).await), (first, Some(before)));
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

/// Releases of Helm were left out of the watch: what a Secret of that type held stayed what it was when it was read first.
#[tokio::test]
async fn a_secret_of_any_type_is_followed() {
    let world = World::new("type").await;
    let _node = world.run_pods();
    let release =
        |url: &str| json!({"metadata": {"name": "db"}, "type": "helm.sh/release.v1", "stringData": {"url": url}});
    world.make::<Secret>(release("postgres://a@one/pds")).await;
    let database = json!({"external": {"uriSecret": {"name": "db", "key": "url"}}});
    world.create("full", json!({"hostname": "full.test", "className": "real", "database": database})).await.unwrap();
    world.ready("full").await;
    let before = version(&world).await.unwrap();
    let other = kube::api::Patch::Merge(json!({"stringData": {"url": "postgres://a@two/pds"}}));
    world.api::<Secret>().patch("db", &Default::default(), &other).await.unwrap();
    changed(&world, &before).await;
    world.api::<Secret>().delete("db", &DeleteParams::default()).await.unwrap();
    world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
}

/// K1 of the twelfth attack: each edit named another key of a Secret that does not exist, and all of them were kept.
#[tokio::test]
async fn a_secret_that_does_not_exist_is_asked_for_once_whatever_the_key() {
    let world = World::new("absent").await;
    let _node = world.run_pods();
    let database = |key: &str| json!({"external": {"uriSecret": {"name": "nosuch", "key": key}}});
    let spec = json!({"hostname": "full.test", "className": "real", "database": database("first")});
    world.create("full", spec).await.unwrap();
    world.condition("full", "DatabaseReady", "False", "CredentialsInvalid").await;
    let asked = || world.traffic().iter().filter(|line| line.ends_with("/secrets/nosuch")).count();
    let (before, mut key) = (asked(), String::new());
    for number in 0..20 {
        key = format!("{number:0253}");
        world.edit("full", json!({"database": database(&key)})).await.unwrap();
        eventually("the key is missed", async || {
            let pds = world.api::<PdsInstance>().get("full").await.ok()?;
            message(&pds, "DatabaseReady")
                .ends_with(&format!("there is no Secret nosuch with the key {key}"))
                .then_some(())
        })
        .await;
    }
    // A watch that breaks off and begins anew forgets what is known.
    let more = asked() - before;
    assert!(more <= 2, "{more} times");
    write_secret(&world.api(), "nosuch", &[(&key, "postgres://a@one/pds")]).await;
    world.ready("full").await;
}
