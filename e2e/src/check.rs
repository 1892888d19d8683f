//! Checks the data of an instance after a test has killed a part of it under load.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;

use crate::{Instance, client::Acknowledged, stock};

/// Checks that every acknowledged write exists, that the event stream has no gap, and that it agrees with the repositories.
pub async fn after(instance: &Instance, acknowledged: &[Acknowledged]) -> Result<()> {
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
