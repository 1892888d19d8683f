//! A replica is killed while people write.

use anyhow::Result;
use e2e::{Instance, check, load::Load};
use kube::ResourceExt;

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_a_replica_is_killed() -> Result<()> {
    // AL-SYN-5
    let instance = Instance::ready("killed").await?;
    let load = Load::on(&instance).await?;
    for _ in 0..2 {
        let victim = instance.pds_pods().await?.remove(0);
        instance.cluster.kill_pod(&instance.namespace, &victim.name_any()).await?;
        load.progress(50).await?;
        instance.wait_ready().await?;
    }
    let outcome = load.stop().await?;
    assert!(
        outcome.acknowledged.len() >= 150,
        "{} acknowledged, {} refused",
        outcome.acknowledged.len(),
        outcome.refused
    );
    check::after(&instance, &outcome.acknowledged).await?;
    instance.clean_up().await
}
