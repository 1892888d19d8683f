//! Both replicas serve the same firehose, without a gap. The stock consumer verifies it.

use anyhow::Result;
use e2e::{Instance, stock};

#[tokio::test]
async fn both_replicas_tell_the_same_story_without_a_gap() -> Result<()> {
    // AL-SYN-6, AL-SYN-7
    let instance = Instance::ready("firehose").await?;
    let (pds, password) = (instance.pds().await?, instance.admin_password().await?);
    let replicas = instance.replicas().await?;
    assert_eq!(replicas.len(), 2);
    // Two accounts, each writing through both replicas in turn.
    for name in ["dan", "erin"] {
        let account = pds.sign_up(name, &password).await?;
        for n in 0..10 {
            account.through(&replicas[n % 2]).post(&format!("post {n}")).await?;
        }
    }
    let last: i64 = instance.sql("select next - 1 from seq_state").await?.parse()?;

    let first = stock::firehose(&instance.cluster, &replicas[0], 0, last).await?;
    let second = stock::firehose(&instance.cluster, &replicas[1], 0, last).await?;
    assert_eq!(first, second);
    assert_eq!(stock::sequence(&first), (1..=last).collect::<Vec<_>>());
    assert_eq!(first.iter().filter(|line| line.op.as_deref() == Some("create")).count(), 20);

    // A consumer can continue at another replica with its cursor.
    let half = last / 2;
    let head = stock::firehose(&instance.cluster, &replicas[0], 0, half).await?;
    let tail = stock::firehose(&instance.cluster, &replicas[1], half, last).await?;
    assert_eq!([stock::sequence(&head), stock::sequence(&tail)].concat(), stock::sequence(&first));
    instance.clean_up().await
}
