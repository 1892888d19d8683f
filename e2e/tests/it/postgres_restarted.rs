//! PostgreSQL is killed and restarted while accounts write.

use anyhow::Result;
use e2e::{Instance, check, load::Load};

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_postgres_is_killed() -> Result<()> {
    let instance = Instance::ready("pgdown").await?;
    let load = Load::on(&instance).await?;
    instance.cluster.kill_pod(&instance.namespace, &instance.postgres_pod().await?).await?;
    load.progress(50).await?;
    instance.wait_ready().await?;
    let outcome = load.stop().await?;
    check::after(&instance, &outcome.acknowledged).await?;
    instance.clean_up().await
}
