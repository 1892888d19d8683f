//! Keys that no data depends on can be changed in place; the others cannot.

use anyhow::Result;
use e2e::{
    Instance,
    wait::{self, LONG},
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

#[tokio::test]
async fn the_administrators_password_rotates_and_the_data_keys_are_guarded() -> Result<()> {
    let instance = Instance::ready("rotate").await?;
    let account = instance.pds().await?.sign_up("olga", &instance.admin_password().await?).await?;
    let secrets: Api<Secret> = instance.cluster.api(&instance.namespace);
    let patch = async |key: &str, value: &str| {
        let patch = Patch::Merge(json!({"stringData": {key: value}}));
        secrets.patch("rotate-keys", &PatchParams::default(), &patch).await
    };
    patch("adminPassword", "another-password").await?;
    wait::until("the new password is accepted", LONG, async || {
        instance.pds().await?.sign_up("peter", "another-password").await.map(drop)
    })
    .await?;
    instance.wait_ready().await?;

    let kept = instance.cluster.secret(&instance.namespace, "rotate-keys", "keyEncryptionKey").await?;
    patch("keyEncryptionKey", &"ab".repeat(32)).await?;
    let (reason, message) = instance.wait_condition("Stalled", "True").await?;
    assert_eq!(reason, "KeysMismatch", "{message}");
    account.post("still served").await?;
    patch("keyEncryptionKey", &kept).await?;
    instance.wait_condition("Stalled", "False").await?;
    instance.wait_ready().await?;
    instance.clean_up().await
}
