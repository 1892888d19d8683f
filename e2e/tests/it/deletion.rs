//! Deleting an instance keeps its data; an instance of the same name takes it up again.

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
