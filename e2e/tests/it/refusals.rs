//! Refused specs and a lost Secret: the instance reports the reason in a condition.

use anyhow::Result;
use e2e::Instance;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::DeleteParams};
use serde_json::json;

#[tokio::test]
async fn a_bad_spec_is_refused_with_field_and_reason() -> Result<()> {
    let instance = Instance::prepare("bad").await?;
    let two = instance.apply(json!({"database": {"postgres": {}, "sqlite": {}}})).await;
    let message = two.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("database"), "{message}");
    instance.apply(json!({"className": "no-such-class"})).await?;
    let (reason, message) = instance.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "ClassNotFound", "{message}");
    assert!(message.contains("no-such-class"), "{message}");
    instance.clean_up().await
}

#[tokio::test]
async fn a_lost_keys_secret_stops_the_instance_and_is_never_made_anew() -> Result<()> {
    let instance = Instance::ready("keys").await?;
    let secrets: Api<Secret> = instance.cluster.api(&instance.namespace);
    let name = format!("{}-keys", instance.name);
    let kept = secrets.get(&name).await?;
    secrets.delete(&name, &DeleteParams::default()).await?;
    let (reason, _) = instance.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "KeySecretMissing");
    assert!(secrets.get_opt(&name).await?.is_none());

    // After the Secret is restored from a backup, the instance continues.
    let restored: Secret = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": kept.metadata.labels, "annotations": kept.metadata.annotations},
        "data": kept.data,
    }))?;
    secrets.create(&Default::default(), &restored).await?;
    instance.wait_condition("Stalled", "False").await?;
    instance.wait_ready().await?;
    instance.clean_up().await
}
