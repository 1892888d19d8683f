//! Deletion of an instance: its data stays unless the deletion policy says `Delete`, and a new instance of the same name adopts it.

use anyhow::Result;
use e2e::{
    Instance, stock,
    wait::{self, LONG},
};
use serde_json::json;

#[tokio::test]
async fn data_outlives_the_instance_and_is_adopted_again() -> Result<()> {
    let instance = Instance::ready("again").await?;
    let (pds, admin) = (instance.pds().await?, instance.admin_password().await?);
    let account = pds.sign_up("frank", &admin).await?;
    account.post("before").await?;
    let before = stock::repository(&instance.cluster, &pds, &account.did).await?;

    instance.delete().await?;
    wait::until("pods gone", LONG, async || {
        let pods = instance.pds_pods().await?.len();
        if pods == 0 { Ok(()) } else { wait::not_yet(format!("{pods} pods")) }
    })
    .await?;
    assert_eq!(instance.admin_password().await?, admin, "the keys stay");

    instance.apply(json!({})).await?;
    instance.wait_ready().await?;
    assert_eq!(instance.admin_password().await?, admin);
    let pds = instance.pds().await?;
    assert_eq!(stock::repository(&instance.cluster, &pds, &account.did).await?, before);
    // The old password and the old key still work.
    let account = pds.log_in(&account.handle, &account.password).await?;
    account.post("after").await?;
    assert_eq!(stock::repository(&instance.cluster, &pds, &account.did).await?.records.len(), 2);
    instance.clean_up().await
}

#[tokio::test]
async fn with_the_policy_delete_nothing_of_it_is_left() -> Result<()> {
    let instance = Instance::prepare("gone").await?;
    instance.apply(json!({"deletionPolicy": {"database": "Delete", "blobs": "Delete", "keys": "Delete"}})).await?;
    instance.wait_ready().await?;
    let account = instance.pds().await?.sign_up("heidi", &instance.admin_password().await?).await?;
    account.upload_blob(b"plain text".to_vec(), "text/plain").await?;
    let bucket = instance.status().await?["blobStore"]["bucket"].as_str().unwrap_or_default().to_owned();
    let buckets = async || -> Result<Vec<String>> {
        let listed = instance.cluster.s3(None).list_buckets().send().await?;
        Ok(listed.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect())
    };
    assert!(buckets().await?.contains(&bucket));

    instance.delete().await?;
    assert!(!buckets().await?.contains(&bucket));
    let left = async |kind: &str| -> Result<Vec<String>> { instance.cluster.names(&instance.namespace, kind).await };
    wait::until("volumes and secrets gone", LONG, async || {
        let (volumes, secrets) = (left("PersistentVolumeClaim").await?, left("Secret").await?);
        // The TLS Secret belongs to the user and is not deleted.
        if volumes.is_empty() && secrets == ["tls"] {
            Ok(())
        } else {
            wait::not_yet(format!("{volumes:?} {secrets:?}"))
        }
    })
    .await?;
    instance.clean_up().await
}
