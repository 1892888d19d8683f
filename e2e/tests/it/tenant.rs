//! A tenant who may create Secrets and instances in his own namespace gains nothing in the S3 service and takes nothing from others.

use anyhow::Result;
use e2e::Instance;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::{Api, api::PostParams};
use serde_json::json;

const HOSTILE: &str = "p</Secret><Role>admin</Role></Account>";

/// The names of the users that can list every bucket of the S3 service with this secret.
async fn lists_buckets(instance: &Instance, user: &str, secret: &str) -> bool {
    instance.cluster.s3(Some((user, secret))).list_buckets().send().await.is_ok()
}

#[tokio::test]
async fn a_planted_credential_makes_nobody_an_administrator() -> Result<()> {
    let instance = Instance::prepare("plant").await?;
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "plant-s3"}, "stringData": {"accessKeyId": "plant-admin", "secretAccessKey": HOSTILE},
    }))?;
    let secrets: Api<Secret> = instance.cluster.api(&instance.namespace);
    secrets.create(&PostParams::default(), &secret).await?;
    instance.apply(json!({})).await?;
    let (reason, message) = instance.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "ObjectNotOwned", "{message}");
    assert!(message.contains("Secret plant-s3"), "{message}");
    assert!(!lists_buckets(&instance, "plant-admin", "p").await);
    assert!(!lists_buckets(&instance, "plant-admin", HOSTILE).await);

    // The planted Secret is gone, so the operator makes its own and the instance starts.
    secrets.delete("plant-s3", &Default::default()).await?;
    instance.wait_ready().await?;
    let access = instance.cluster.secret(&instance.namespace, "plant-s3", "accessKeyId").await?;
    assert_ne!(access, "plant-admin");
    instance.clean_up().await
}

#[tokio::test]
async fn objects_of_others_are_neither_taken_over_nor_deleted() -> Result<()> {
    let instance = Instance::prepare("shop").await?;
    let services: Api<Service> = instance.cluster.api(&instance.namespace);
    let shop: Service = serde_json::from_value(json!({
        "metadata": {"name": "shop", "labels": {"app": "shop"}},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
    }))?;
    let before = services.create(&PostParams::default(), &shop).await?;
    instance.apply(json!({"database": {"sqlite": {}}})).await?;
    let (reason, message) = instance.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "ObjectNotOwned", "{message}");
    assert!(message.contains("Service shop"), "{message}");
    assert_eq!(services.get("shop").await?.metadata.resource_version, before.metadata.resource_version);
    instance.delete().await?;
    assert_eq!(services.get("shop").await?.metadata.uid, before.metadata.uid);
    instance.clean_up().await
}

#[tokio::test]
async fn a_hostname_has_one_holder() -> Result<()> {
    let (first, second) = tokio::try_join!(Instance::prepare("first"), Instance::prepare("second"))?;
    let sqlite = json!({"sqlite": {}});
    first.apply(json!({"database": sqlite})).await?;
    first.wait_ready().await?;
    second.apply(json!({"database": sqlite, "hostname": first.hostname, "handleDomains": null})).await?;
    let (reason, message) = second.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "HostnameTaken", "{message}");
    assert!(message.contains(&format!("{}/first", first.namespace)), "{message}");
    assert_eq!(second.cluster.names(&second.namespace, "PersistentVolumeClaim").await?, Vec::<String>::new());
    first.clean_up().await?;
    // The holder is gone with its keys, so the second instance gets the hostname.
    second.wait_ready().await?;
    second.clean_up().await
}
