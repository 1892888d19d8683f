//! What is measured. A scenario is prepared once on each target and then run in rounds.

mod firehose;
mod load;
mod mixed;
mod replicas;
mod requests;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::client::Call;
use crate::fixture::{Account, Fixture};
use crate::stats::Sample;
use crate::target::{Kind, Target};
pub(crate) use load::{Calls, run as run_loop};
use requests::Method;

/// After a start, until memory is looked at.
const SETTLE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// createRecord, 1 worker
    #[value(name = "create-record-c1")]
    CreateRecord1,
    /// createRecord, 8 workers, each with its own repository
    #[value(name = "create-record-c8")]
    CreateRecord8,
    /// createRecord, 32 workers, each with its own repository
    #[value(name = "create-record-c32")]
    CreateRecord32,
    /// createRecord, 128 workers, each with its own repository
    #[value(name = "create-record-c128")]
    CreateRecord128,
    /// createRecord, 8 workers in one repository
    #[value(name = "hot-repo-c8")]
    HotRepo,
    /// applyWrites of 10 records, 8 workers
    #[value(name = "apply-writes-10")]
    ApplyWrites10,
    /// applyWrites of 200 records, 4 workers
    #[value(name = "apply-writes-200")]
    ApplyWrites200,
    /// getRecord, 8 workers
    GetRecord,
    /// listRecords of 50, 8 workers
    ListRecords,
    /// getRepo of 1,000 records, 2 workers
    #[value(name = "get-repo-1k")]
    GetRepo1k,
    /// getRepo of 10,000 records, 2 workers
    #[value(name = "get-repo-10k")]
    GetRepo10k,
    /// getBlob of 1 MB, 4 workers
    #[value(name = "get-blob-1mb")]
    GetBlob1mb,
    /// uploadBlob of 1 KB, 8 workers
    #[value(name = "upload-blob-1kb")]
    UploadBlob1kb,
    /// uploadBlob of 5 MB, 2 workers
    #[value(name = "upload-blob-5mb")]
    UploadBlob5mb,
    /// createSession, 4 workers
    CreateSession,
    /// createAccount, 4 workers
    CreateAccount,
    /// A query that the app view answers, 50 posts, 8 workers
    ProxiedRead,
    /// getTimeline of 50 posts to which a new one of the caller is added, 8 workers
    ReadAfterWrite,
    /// getServiceAuth, 8 workers
    GetServiceAuth,
    /// getPreferences of 10, 8 workers
    GetPreferences,
    /// From createRecord sent to event received, 8 writes after more than a second without any
    EventLatency,
    /// The same with 20 ms between the writes
    EventLatencyBusy,
    /// As event-latency-busy, until the last of 100 subscribers has it; an operation is one delivery
    #[value(name = "fan-out-100")]
    FanOut100,
    /// createRecord, 8 workers, beside 1 subscriber; an operation is one delivery, and the writes are part of its price
    #[value(name = "firehose-1")]
    Firehose1,
    /// As firehose-1 with 10 subscribers
    #[value(name = "firehose-10")]
    Firehose10,
    /// As firehose-1 with 100 subscribers
    #[value(name = "firehose-100")]
    Firehose100,
    /// createRecord, 96 workers on one process
    #[value(name = "replicas-1")]
    Replicas1,
    /// createRecord, 96 workers spread over three processes on one database, whose firehoses are compared afterwards
    #[value(name = "replicas-3")]
    Replicas3,
    /// One subscriber reads the history; an operation is an event
    Replay,
    /// Memory while 8 workers write, 2 export 10,000 records with gzip and 1 subscriber reads the history again and again
    MixedMemory,
    /// From the start of the process to its first answer
    ColdStart,
    /// Memory 3 s after a start
    RssIdle,
}

/// A scenario on a target that holds what it needs.
pub(crate) enum Prepared {
    /// With so many workers.
    Loop(usize, Calls),
    /// With so many subscribers, after quiet pauses or not.
    Latency(usize, bool, Account),
    /// With so many subscribers.
    Firehose(usize, Calls),
    /// On so many processes.
    Replicas(usize, Calls, Account),
    Replay,
    /// What is written and what is exported.
    Mixed(Calls, Calls),
    ColdStart,
    RssIdle,
}

/// Deliveries to so many subscribers while others write.
pub(crate) async fn loaded(
    target: &Target,
    fixture: &mut Fixture,
    subscribers: usize,
    length: Duration,
) -> Result<Sample> {
    let calls = Method::CreateRecord.calls(fixture, target.address, firehose::WRITERS).await?;
    firehose::loaded(target, subscribers, &calls, length).await
}

/// How much is done in each round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) length: Duration,
    pub(crate) replayed_events: usize,
}

impl Scenario {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn what(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// Whether it can be run on such a target at all.
    pub(crate) fn is_for(self, kind: Kind) -> bool {
        !matches!(self, Self::Replicas1 | Self::Replicas3) || kind == Kind::Postgres
    }

    /// Whether the two are to be compared with each other, and therefore take turns.
    pub(crate) fn is_beside(self, next: Self) -> bool {
        matches!((self, next), (Self::Replicas1, Self::Replicas3))
    }

    fn in_a_loop(self) -> Option<(usize, Method)> {
        Some(match self {
            Self::CreateRecord1 => (1, Method::CreateRecord),
            Self::CreateRecord8 => (8, Method::CreateRecord),
            Self::CreateRecord32 => (32, Method::CreateRecord),
            Self::CreateRecord128 => (128, Method::CreateRecord),
            Self::HotRepo => (8, Method::CreateRecordInOne),
            Self::ApplyWrites10 => (8, Method::ApplyWrites(10)),
            Self::ApplyWrites200 => (4, Method::ApplyWrites(200)),
            Self::GetRecord => (8, Method::GetRecord),
            Self::ListRecords => (8, Method::ListRecords),
            Self::GetRepo1k => (2, Method::GetRepo(1_000)),
            Self::GetRepo10k => (2, Method::GetRepo(10_000)),
            Self::GetBlob1mb => (4, Method::GetBlob(1_000_000)),
            Self::UploadBlob1kb => (8, Method::UploadBlob(1_000)),
            Self::UploadBlob5mb => (2, Method::UploadBlob(5_000_000)),
            Self::CreateSession => (4, Method::CreateSession),
            Self::CreateAccount => (4, Method::CreateAccount),
            Self::ProxiedRead => (8, Method::ProxiedRead),
            Self::ReadAfterWrite => (8, Method::ReadAfterWrite),
            Self::GetServiceAuth => (8, Method::GetServiceAuth),
            Self::GetPreferences => (8, Method::GetPreferences),
            _ => return None,
        })
    }

    pub(crate) async fn prepare(self, target: &Target, fixture: &mut Fixture, amount: Amount) -> Result<Prepared> {
        if let Some((workers, method)) = self.in_a_loop() {
            return Ok(Prepared::Loop(workers, method.calls(fixture, target.address, workers).await?));
        }
        Ok(match self {
            Self::EventLatency | Self::EventLatencyBusy => {
                let account = fixture.writers(target.address, 1).await?.remove(0);
                Prepared::Latency(1, self == Self::EventLatency, account)
            }
            Self::FanOut100 => Prepared::Latency(100, false, fixture.writers(target.address, 1).await?.remove(0)),
            Self::Firehose1 | Self::Firehose10 | Self::Firehose100 => {
                let subscribers = match self {
                    Self::Firehose1 => 1,
                    Self::Firehose10 => 10,
                    _ => 100,
                };
                let calls = Method::CreateRecord.calls(fixture, target.address, firehose::WRITERS).await?;
                Prepared::Firehose(subscribers, calls)
            }
            Self::Replicas1 | Self::Replicas3 => {
                let calls = Method::CreateRecord.calls(fixture, target.address, replicas::WORKERS).await?;
                let account = fixture.writers(target.address, 1).await?.remove(0);
                Prepared::Replicas(if self == Self::Replicas1 { 1 } else { 3 }, calls, account)
            }
            Self::Replay => {
                firehose::prepare_replay(target, fixture, amount.replayed_events).await?;
                Prepared::Replay
            }
            Self::MixedMemory => {
                firehose::prepare_replay(target, fixture, amount.replayed_events).await?;
                let writes = Method::CreateRecord.calls(fixture, target.address, firehose::WRITERS).await?;
                let exports = Method::GetRepo(mixed::RECORDS).calls(fixture, target.address, mixed::EXPORTERS).await?;
                let gzip = move |worker| Call { gzip: true, ..exports(worker) };
                Prepared::Mixed(writes, Arc::new(gzip))
            }
            Self::ColdStart => Prepared::ColdStart,
            _ => Prepared::RssIdle,
        })
    }
}

impl Prepared {
    pub(crate) async fn run(&self, target: &mut Target, fixture: &Fixture, amount: Amount) -> Result<Sample> {
        match self {
            Self::Loop(workers, calls) => load::run(target, *workers, calls, amount.length).await,
            Self::Latency(subscribers, quiet, account) => {
                firehose::latency(target, account, &fixture.serial(), *subscribers, *quiet, amount.length).await
            }
            Self::Firehose(subscribers, calls) => firehose::loaded(target, *subscribers, calls, amount.length).await,
            Self::Replicas(processes, calls, account) => {
                replicas::run(target, *processes, calls, account, &fixture.serial(), amount.length).await
            }
            Self::Replay => firehose::replay(target, amount.replayed_events).await,
            Self::Mixed(writes, exports) => {
                mixed::run(target, writes, exports, amount.replayed_events, amount.length).await
            }
            Self::ColdStart => {
                let mut sample = Sample::default();
                sample.set_latencies(&mut [target.restart().await?.as_secs_f64() * 1e3]);
                Ok(sample)
            }
            Self::RssIdle => {
                target.restart().await?;
                tokio::time::sleep(SETTLE).await;
                Ok(Sample { rss_mb: Some(target.rss_mb()?), ..Sample::default() })
            }
        }
    }
}
