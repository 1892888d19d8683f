//! Several processes on one database.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;

use super::firehose::{Firehose, seq};
use super::load::{self, Calls};
use crate::client::Client;
use crate::fixture::{self, Account};
use crate::stats::Sample;
use crate::target::Target;

/// Workers, in turn on each process.
pub(super) const WORKERS: usize = 96;

/// Writes through all processes, then reads what happened from each: it must be the same and without a gap.
pub(super) async fn run(
    target: &mut Target,
    processes: usize,
    calls: &Calls,
    account: &Account,
    serial: &AtomicU64,
    length: Duration,
) -> Result<Sample> {
    target.scale(processes).await?;
    let first = mark(target, account, serial).await?;
    let sample = load::run(target, WORKERS, calls, length).await?;
    let last = mark(target, account, serial).await?;
    let read = target.addresses().into_iter().map(|address| between(address, first, last));
    let stories = try_join_all(read).await?;
    ensure!(stories.windows(2).all(|pair| pair[0] == pair[1]), "the processes tell different stories");
    let written = sample.per_second.unwrap_or_default() * length.as_secs_f64();
    ensure!(stories[0].0 as f64 >= written, "{written} writes, {} events", stories[0].0);
    target.scale(1).await?;
    Ok(sample)
}

/// Writes a record; the number of its event.
async fn mark(target: &Target, account: &Account, serial: &AtomicU64) -> Result<i64> {
    let mut firehose = Firehose::open(target.address, None).await?;
    Client::connect(target.address).await?.send(fixture::create_record(account, None, serial)).await?;
    seq(&firehose.next().await?)
}

/// How many events there are after `first` up to `last`, and a sum over all their bytes.
async fn between(address: SocketAddr, first: i64, last: i64) -> Result<(usize, u64)> {
    let mut firehose = Firehose::open(address, Some(first)).await?;
    let (mut count, mut sum) = (0, 0u64);
    for expected in first + 1..=last {
        let frame = firehose.next().await?;
        let seq = seq(&frame)?;
        ensure!(seq == expected, "event {seq} came instead of {expected} from {address}");
        sum = frame.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        count += 1;
    }
    Ok((count, sum))
}
