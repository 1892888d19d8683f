//! An instance from one manifest works with stock clients, and its data is in its own database and bucket.

use anyhow::Result;
use e2e::{Instance, stock};
use serde_json::json;

#[tokio::test]
async fn a_stock_client_works_against_an_applied_instance() -> Result<()> {
    // AL-REP-1, AL-ACC-1
    let instance = Instance::ready("one").await?;
    let pds = instance.pds().await?;
    let answer = stock::script(
        &instance.cluster,
        &pds,
        "account.mjs",
        json!({
            "url": pds.url, "handle": format!("alice.{}", instance.hostname), "email": "alice@example.com",
            "password": "correct horse", "adminPassword": instance.admin_password().await?,
        }),
    )
    .await?;
    assert_eq!(answer["readBack"], true);
    let did = answer["did"].as_str().unwrap_or_default();

    // The library of the reference implementation verifies the repository, from every replica.
    let records = stock::repository(&instance.cluster, &pds, did).await?;
    assert_eq!(records.records.len(), 1);
    for replica in instance.replicas().await? {
        assert_eq!(stock::repository(&instance.cluster, &replica, did).await?, records);
    }

    // The account and its record are in the instance's database, and the blob is in its bucket.
    assert_eq!(instance.sql(&format!("select count(*) from account where did = '{did}'")).await?, "1");
    assert_eq!(instance.sql("select count(*) from record").await?, "1");
    let bucket = instance.status().await?["blobStore"]["bucket"].as_str().unwrap_or_default().to_owned();
    let objects = instance.cluster.s3(None).list_objects_v2().bucket(&bucket).send().await?;
    // Beside the blob there is the operator's marker, which says whose the bucket is.
    let is_blob = |key: Option<&str>| key.is_some_and(|key| !key.starts_with(".aurora-locus/"));
    let blobs = objects.contents().iter().filter(|object| is_blob(object.key()));
    let sizes: Vec<i64> = blobs.filter_map(|object| object.size()).collect();
    assert_eq!(sizes, [answer["blob"]["size"].as_i64().unwrap_or_default()]);
    instance.clean_up().await
}

#[tokio::test]
async fn session_refresh_and_pagination_work_with_a_stock_client() -> Result<()> {
    // AL-ACC-1
    let instance = Instance::ready("session").await?;
    let pds = instance.pds().await?;
    let account = pds.sign_up("carol", &instance.admin_password().await?).await?;
    let input = json!({"url": pds.url, "handle": account.handle, "password": account.password, "posts": 120});
    let answer = stock::script(&instance.cluster, &pds, "session.mjs", input).await?;
    assert_eq!(answer, json!({"refreshed": true, "listed": 120, "deleted": true, "loggedOut": true}));
    instance.clean_up().await
}
