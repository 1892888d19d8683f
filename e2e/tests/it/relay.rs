//! The reference relay follows an instance and verifies every commit. It misses no event when the replica that it follows is killed.

use anyhow::Result;
use e2e::{
    Instance, Relay, stock,
    wait::{self, LONG},
};
use kube::ResourceExt;

#[tokio::test]
async fn a_relay_follows_the_instance_and_stays_with_it() -> Result<()> {
    // AL-FED-3, AL-SYN-6, AL-SYN-7
    let instance = Instance::ready("relay").await?;
    let (pds, password) = (instance.pds().await?, instance.admin_password().await?);
    let relay = Relay::start(&instance).await?;
    let head = async || -> Result<i64> { Ok(instance.sql("select next - 1 from seq_state").await?.parse()?) };
    let start = head().await?;
    relay.request_crawl(&instance.hostname).await?;

    let account = pds.sign_up("grace", &password).await?;
    let arrived = async |rev: String| {
        wait::until("the relay has the last commit", LONG, async || {
            let latest = relay.latest(&account.did).await?;
            if latest == rev { Ok(()) } else { wait::not_yet(format!("{latest} is not {rev}")) }
        })
        .await
    };
    let mut rev = String::new();
    for n in 0..5 {
        rev = account.post(&format!("post {n}")).await?.rev;
    }
    arrived(rev).await?;

    // The relay is connected to one of the two replicas. Both are killed in turn, and the relay reconnects with its cursor.
    for victim in instance.pds_pods().await? {
        instance.cluster.kill_pod(&instance.namespace, &victim.name_any()).await?;
        instance.wait_ready().await?;
        let account = wait::until("a write", LONG, async || account.post("while it was away").await).await?;
        arrived(account.rev).await?;
    }

    // The relay's stream contains the instance's operations, and the stock consumer verifies them again.
    let last = head().await?;
    let own = stock::firehose(&instance.cluster, &pds, start, last).await?;
    let relayed = stock::follow(&instance.cluster, &pds, &relay.websocket(), 0, last - start).await?;
    let told = |lines: &[stock::Line]| {
        let operations = lines.iter().filter(|line| line.op.is_some());
        operations.map(|line| (line.did.clone(), line.path.clone(), line.cid.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&relayed), told(&own));
    assert_eq!(stock::sequence(&relayed).len(), stock::sequence(&own).len());
    instance.clean_up().await
}
