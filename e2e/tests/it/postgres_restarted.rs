//! The database is restarted while people write.

use anyhow::Result;
use e2e::{Instance, load::Load};

use crate::replica_killed::after;

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_postgres_is_killed() -> Result<()> {
    let instance = Instance::ready("pgdown").await?;
    let (pds, password) = (instance.pds().await?, instance.admin_password().await?);
    let mut accounts = Vec::new();
    for n in 0..4 {
        accounts.push(pds.sign_up(&format!("writer{n}x"), &password).await?);
    }
    let load = Load::start(&accounts);
    load.progress(50).await?;
    instance.cluster.kill_pod(&instance.namespace, &instance.postgres_pod().await?).await?;
    load.progress(50).await?;
    instance.wait_ready().await?;
    let outcome = load.stop().await?;
    after(&instance, &outcome.acknowledged).await?;
    instance.clean_up().await
}
