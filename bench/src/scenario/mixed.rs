//! Writes, compressed exports and replays at once, for the memory that they take together.

use std::time::Duration;

use anyhow::Result;

use super::firehose::{Firehose, WRITERS};
use super::load::{self, Calls};
use crate::stats::Sample;
use crate::target::Target;

/// Workers that export.
pub(super) const EXPORTERS: usize = 2;
/// Records of the repository that is exported.
pub(super) const RECORDS: usize = 10_000;

/// On a process that has just been started. The latencies are those of the writes.
pub(super) async fn run(
    target: &mut Target,
    writes: &Calls,
    exports: &Calls,
    events: usize,
    length: Duration,
) -> Result<Sample> {
    target.restart().await?;
    let target = &*target;
    let replays = async {
        loop {
            let mut firehose = Firehose::open(target.address, Some(0)).await?;
            firehose.skip(events).await?;
        }
    };
    let loads = async {
        tokio::try_join!(load::run(target, WRITERS, writes, length), load::run(target, EXPORTERS, exports, length))
    };
    let (writes, _) = tokio::select! {
        loads = loads => loads?,
        failed = replays => return failed,
    };
    let (p50_ms, p95_ms, p99_ms) = (writes.p50_ms, writes.p95_ms, writes.p99_ms);
    Ok(Sample { p50_ms, p95_ms, p99_ms, rss_mb: Some(target.peak_rss_mb()?), ..Sample::default() })
}
