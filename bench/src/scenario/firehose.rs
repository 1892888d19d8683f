//! Scenarios that read `com.atproto.sync.subscribeRepos`.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::try_join_all;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_ipld_dagcbor::de::from_reader_once;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::load::{self, Calls};
use super::requests::Method;
use crate::client::Client;
use crate::fixture::{self, Account, Fixture};
use crate::stats::Sample;
use crate::target::{Kind, Target};

/// Pause between the writes of [`latency`] when it is busy, and at least when it is quiet: pollers have gone to sleep by then.
const PAUSE: Duration = Duration::from_millis(20);
const QUIET_PAUSE: Duration = Duration::from_millis(1200);
/// Writes of one round after a quiet pause.
const QUIET_WRITES: usize = 8;
/// After so long without an event nothing more is expected.
const QUIET: Duration = Duration::from_secs(2);
/// So many events the reference writes by itself for a replay, and how they become more.
const COPIED: usize = 2_000;
const COPY: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
while (missing := int(sys.argv[2]) - db.execute('select count(*) from repo_seq').fetchone()[0]) > 0:
    db.execute('insert into repo_seq (did, eventType, event, invalidated, sequencedAt) '
               'select did, eventType, event, invalidated, sequencedAt from repo_seq order by seq desc limit ?', (missing,))
    db.commit()
";
/// Events that are read without looking at the clock.
const AT_ONCE: usize = 1_000;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Workers that write the events which are replayed or delivered.
pub(super) const WRITERS: usize = 8;

pub(super) struct Firehose(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Firehose {
    pub(super) async fn open(address: SocketAddr, cursor: Option<i64>) -> Result<Self> {
        let cursor = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        let url = format!("ws://{address}/xrpc/com.atproto.sync.subscribeRepos{cursor}");
        Ok(Self(connect_async(url).await.context("subscribe")?.0))
    }

    /// The next frame's bytes.
    pub(super) async fn next(&mut self) -> Result<Bytes> {
        timeout(LONGEST_WAIT, self.frame()).await.context("no event came")?
    }

    /// Reads so many frames and looks at none.
    pub(super) async fn skip(&mut self, frames: usize) -> Result<()> {
        for begun in (0..frames).step_by(AT_ONCE) {
            let some = async {
                for _ in begun..frames.min(begun + AT_ONCE) {
                    self.frame().await?;
                }
                anyhow::Ok(())
            };
            timeout(LONGEST_WAIT, some).await.context("no more events came")??;
        }
        Ok(())
    }

    async fn frame(&mut self) -> Result<Bytes> {
        loop {
            match self.0.next().await.context("the firehose ended")?? {
                Message::Binary(frame) => return Ok(frame),
                Message::Close(reason) => anyhow::bail!("the firehose was closed: {reason:?}"),
                _ => {}
            }
        }
    }
}

/// From sending a `createRecord` until the last subscriber has its event, on a server that does nothing else. An operation is
/// the delivery of an event to one subscriber.
pub(super) async fn latency(
    target: &Target,
    account: &Account,
    serial: &AtomicU64,
    subscribers: usize,
    quiet: bool,
    length: Duration,
) -> Result<Sample> {
    let mut firehoses = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        firehoses.push(Firehose::open(target.address, None).await?);
    }
    let mut client = Client::connect(target.address).await?;
    let mut latencies_ms = Vec::new();
    target.forget_peak()?;
    let (began, before) = (Instant::now(), target.cpu()?);
    while if quiet { latencies_ms.len() < QUIET_WRITES } else { began.elapsed() < length } {
        // Pauses that differ meet a poller at every point of its sleep.
        let pause =
            if quiet { QUIET_PAUSE + Duration::from_millis(379) * latencies_ms.len() as u32 / 4 } else { PAUSE };
        tokio::time::sleep(pause).await;
        let rkey = tid();
        let sent = Instant::now();
        let arrivals = try_join_all(firehoses.iter_mut().map(|firehose| arrival(firehose, &rkey)));
        // Awaited together: the event may come before the answer.
        let write = client.send(fixture::create_record(account, Some(&rkey), serial));
        let (answer, arrived) = tokio::join!(write, arrivals);
        answer?;
        let last = arrived?.into_iter().max().context("nobody listens")?;
        latencies_ms.push((last - sent).as_secs_f64() * 1e3);
    }
    let mut sample = Sample { rss_mb: Some(target.peak_rss_mb()?), ..Sample::default() };
    sample.set_cpu(before, target.cpu()?, latencies_ms.len() * subscribers);
    sample.set_latencies(&mut latencies_ms);
    Ok(sample)
}

/// When the event came that names the record key.
async fn arrival(firehose: &mut Firehose, rkey: &str) -> Result<Instant> {
    loop {
        let frame = firehose.next().await?;
        let now = Instant::now();
        if frame.windows(rkey.len()).any(|bytes| bytes == rkey.as_bytes()) {
            return Ok(now);
        }
    }
}

/// Subscribers that read everything while [`WRITERS`] write as fast as they can. Each sees that there is no gap.
pub(super) async fn loaded(target: &Target, subscribers: usize, calls: &Calls, length: Duration) -> Result<Sample> {
    let mut followers = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        followers.push(tokio::spawn(follow(Firehose::open(target.address, None).await?)));
    }
    let (began, before) = (Instant::now(), target.cpu()?);
    let writes = load::run(target, WRITERS, calls, length).await?;
    let mut delivered = 0;
    for follower in followers {
        delivered += follower.await.context("a subscriber panicked")??;
    }
    // The followers wait a little to be sure that nothing more comes.
    let elapsed = began.elapsed().saturating_sub(QUIET);
    let mut sample = Sample { per_second: Some(delivered as f64 / elapsed.as_secs_f64()), ..writes };
    sample.set_cpu(before, target.cpu()?, delivered);
    Ok(sample)
}

/// Counts events until none comes any more.
async fn follow(mut firehose: Firehose) -> Result<usize> {
    let (mut count, mut last) = (0, None);
    while let Ok(frame) = timeout(QUIET, firehose.next()).await {
        let seq = seq(&frame?)?;
        if let Some(last) = last
            && seq != last + 1
        {
            anyhow::bail!("event {seq} came after {last}");
        }
        (count, last) = (count + 1, Some(seq));
    }
    Ok(count)
}

#[derive(Deserialize)]
struct Body {
    seq: i64,
}

/// The number of a frame: its header comes first, then the body that holds it.
pub(super) fn seq(frame: &[u8]) -> Result<i64> {
    let mut rest = frame;
    let _: IgnoredAny = from_reader_once(&mut rest).context("a frame's header")?;
    Ok(from_reader_once::<Body, _>(&mut rest).context("a frame's body")?.seq)
}

/// Writes until the history holds so many events of records.
///
/// The reference would take many minutes for that: it writes some, and these are copied in its table of events.
pub(super) async fn prepare_replay(target: &Target, fixture: &mut Fixture, events: usize) -> Result<()> {
    let calls = Method::CreateRecord.calls(fixture, target.address, WRITERS).await?;
    let really = if target.kind == Kind::Reference { events.min(COPIED) } else { events };
    let mut written = 0.0;
    while written < really as f64 {
        let sample = load::run(target, WRITERS, &calls, Duration::from_secs(2)).await?;
        written += sample.per_second.unwrap_or_default() * 2.0;
    }
    if really < events {
        let mut copy = Command::new("python3");
        copy.args(["-c", COPY]).arg(target.folder().join("sequencer.sqlite")).arg(events.to_string());
        anyhow::ensure!(copy.status().await?.success(), "the events could not be copied");
    }
    Ok(())
}

/// One subscriber reads so many events of the past, from the first one.
pub(super) async fn replay(target: &Target, events: usize) -> Result<Sample> {
    target.forget_peak()?;
    let (began, before) = (Instant::now(), target.cpu()?);
    let mut firehose = Firehose::open(target.address, Some(0)).await?;
    firehose.skip(events).await?;
    let mut sample = Sample { rss_mb: Some(target.peak_rss_mb()?), ..Sample::default() };
    sample.per_second = Some(events as f64 / began.elapsed().as_secs_f64());
    sample.set_cpu(before, target.cpu()?, events);
    Ok(sample)
}

/// A record key of now: microseconds and a clock number of zero, in the sortable base32 of TIDs.
fn tid() -> String {
    const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
    (0..13).rev().map(|place| char::from(ALPHABET[((now << 10) >> (place * 5) & 31) as usize])).collect()
}
