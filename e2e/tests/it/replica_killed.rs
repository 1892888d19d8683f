//! A replica is killed while people write.

use anyhow::Result;
use e2e::{Instance, load::Load};
use kube::ResourceExt;

mod check {
    //! What must hold after anything was broken under load.

    use std::collections::{BTreeMap, HashSet};

    use anyhow::Result;
    use e2e::{Instance, client::Acknowledged, stock};

    /// Nothing acknowledged is missing, the stream has no gap, and what it tells is what the repositories hold.
    pub(crate) async fn after(instance: &Instance, acknowledged: &[Acknowledged]) -> Result<()> {
        let pds = instance.pds().await?;
        let last: i64 = instance.sql("select next - 1 from seq_state").await?.parse()?;
        let lines = stock::firehose(&instance.cluster, &pds, 0, last).await?;
        assert_eq!(stock::sequence(&lines), (1..=last).collect::<Vec<_>>());

        let mut told: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.op.is_some()) {
            let records = told.entry(line.did.clone()).or_default();
            match (&line.path, &line.cid) {
                (Some(path), Some(cid)) => records.insert(path.clone(), cid.clone()),
                (Some(path), None) => records.remove(path),
                _ => None,
            };
        }
        let accounts: HashSet<&str> = acknowledged.iter().map(|write| write.did.as_str()).collect();
        for did in accounts {
            let held = stock::repository(&instance.cluster, &pds, did).await?.records;
            assert_eq!(told.get(did), Some(&held), "the stream and the repository of {did}");
            for write in acknowledged.iter().filter(|write| write.did == did) {
                assert_eq!(held.get(&write.path), Some(&write.cid), "acknowledged write {write:?}");
            }
        }
        Ok(())
    }
}
pub(crate) use check::after;

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_a_replica_is_killed() -> Result<()> {
    let instance = Instance::ready("killed").await?;
    let (pds, password) = (instance.pds().await?, instance.admin_password().await?);
    let mut accounts = Vec::new();
    for n in 0..4 {
        accounts.push(pds.sign_up(&format!("writer{n}x"), &password).await?);
    }
    let load = Load::start(&accounts);
    load.progress(50).await?;
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
    after(&instance, &outcome.acknowledged).await?;
    instance.clean_up().await
}
