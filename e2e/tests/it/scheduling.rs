//! Pods that cannot run are named in a condition, and a corrected spec is followed at once.

use anyhow::Result;
use e2e::Instance;
use serde_json::json;

#[tokio::test]
async fn a_pod_without_a_node_is_told_and_a_corrected_spec_is_followed() -> Result<()> {
    let instance = Instance::prepare("nowhere").await?;
    instance.apply(json!({"pod": {"nodeSelector": {"disk": "nosuch"}}})).await?;
    e2e::wait::until("the reason is told", e2e::wait::SHORT, async || {
        let (_, reason, message) = instance.condition("Ready").await?;
        if reason == "Unschedulable" { Ok(message) } else { e2e::wait::not_yet(format!("{reason}: {message}")) }
    })
    .await?;
    instance.apply(json!({})).await?;
    instance.wait_ready().await?;

    // A new image that does not exist stops the rollout, and the old pods go on.
    let image = instance.status().await?["image"].as_str().unwrap_or_default().to_owned();
    let (repository, _) = image.rsplit_once(':').unwrap_or_default();
    instance.apply(json!({"image": format!("{repository}:nosuch")})).await?;
    e2e::wait::until("the image is told", e2e::wait::SHORT, async || {
        let (status, reason, message) = instance.condition("Ready").await?;
        if status == "False" && reason == "ImageUnavailable" {
            Ok(message)
        } else {
            e2e::wait::not_yet(format!("{status} {reason}: {message}"))
        }
    })
    .await?;
    instance.pds().await?.sign_up("quinn", &instance.admin_password().await?).await?;
    instance.apply(json!({})).await?;
    instance.wait_ready().await?;
    instance.clean_up().await
}
