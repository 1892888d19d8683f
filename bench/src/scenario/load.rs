//! A closed loop: every worker has a connection and sends as soon as it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::client::{Call, Client};
use crate::meter;
use crate::stats::Sample;
use crate::target::{Cpu, Target};

/// What is sent before the measuring starts: connections, caches and compilers get warm.
const WARM_UP: Duration = Duration::from_secs(1);

/// The next call of a worker.
pub(crate) type Calls = Arc<dyn Fn(usize) -> Call + Send + Sync>;

struct Done {
    latencies_ms: Vec<f64>,
    failed: u64,
    failure: Option<anyhow::Error>,
    elapsed: Duration,
}

pub(crate) async fn run(target: &Target, workers: usize, calls: &Calls, length: Duration) -> Result<Sample> {
    go(target, workers, calls, WARM_UP).await?;
    target.forget_peak()?;
    let (before, disks_before) = (target.cpu()?, meter::disks()?);
    let mut done = go(target, workers, calls, length).await?;
    let (after, disks_after) = (target.cpu()?, meter::disks()?);
    let operations = done.latencies_ms.len();
    if let Some(failure) = done.failure.filter(|_| done.failed as usize * 100 > operations) {
        return Err(failure.context(format!("{} requests failed, {operations} did not; one of them", done.failed)));
    }
    let mut sample = Sample { failed: done.failed, rss_mb: Some(target.peak_rss_mb()?), ..Sample::default() };
    sample.per_second = Some(operations as f64 / done.elapsed.as_secs_f64());
    sample.set_cpu(before, after, operations);
    let per_operation = |before: u64, after: u64| Some((after - before) as f64 / operations.max(1) as f64);
    sample.flushes = per_operation(disks_before.flushes, disks_after.flushes);
    sample.disk_kb = per_operation(disks_before.written_bytes, disks_after.written_bytes).map(|bytes| bytes / 1e3);
    sample.set_latencies(&mut done.latencies_ms);
    Ok(sample)
}

impl Sample {
    /// The CPU time between two readings, per operation.
    pub(super) fn set_cpu(&mut self, before: Cpu, after: Cpu, operations: usize) {
        let per_operation = |time: Duration| Some(time.as_secs_f64() * 1e3 / operations.max(1) as f64);
        self.pds_cpu_ms = per_operation(after.pds - before.pds);
        self.storage_cpu_ms = per_operation(after.storage - before.storage);
        self.driver_cpu_ms = per_operation(after.driver - before.driver);
    }
}

async fn go(target: &Target, workers: usize, calls: &Calls, length: Duration) -> Result<Done> {
    let (began, addresses) = (Instant::now(), target.addresses());
    let tasks: Vec<_> = (0..workers)
        .map(|worker| {
            let address = addresses[worker % addresses.len()];
            tokio::spawn(work(address, worker, calls.clone(), began + length))
        })
        .collect();
    let mut all = Done { latencies_ms: Vec::new(), failed: 0, failure: None, elapsed: Duration::ZERO };
    for task in tasks {
        let done = task.await.context("a worker panicked")??;
        all.latencies_ms.extend(done.latencies_ms);
        all.failed += done.failed;
        all.failure = all.failure.or(done.failure);
    }
    all.elapsed = began.elapsed();
    Ok(all)
}

async fn work(address: std::net::SocketAddr, worker: usize, calls: Calls, end: Instant) -> Result<Done> {
    let mut client = Client::connect(address).await?;
    let mut done = Done { latencies_ms: Vec::new(), failed: 0, failure: None, elapsed: Duration::ZERO };
    while Instant::now() < end {
        let call = calls(worker);
        let sent = Instant::now();
        match client.send(call).await {
            Ok(_) => done.latencies_ms.push(sent.elapsed().as_secs_f64() * 1e3),
            Err(failure) => {
                done.failed += 1;
                done.failure = Some(failure);
            }
        }
    }
    Ok(done)
}
