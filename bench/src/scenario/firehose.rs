//! Scenarios that read `com.atproto.sync.subscribeRepos`.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::future::try_join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::load;
use super::requests::Method;
use crate::client::Client;
use crate::fixture::{self, Account, Fixture};
use crate::stats::Sample;
use crate::target::Target;

/// Pause between the writes of [`latency`]: the server has nothing else to do.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Workers that write the events which are replayed.
const WRITERS: usize = 8;

struct Firehose(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Firehose {
    async fn open(target: &Target, cursor: Option<u64>) -> Result<Self> {
        let cursor = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        let url = format!("ws://{}/xrpc/com.atproto.sync.subscribeRepos{cursor}", target.address);
        Ok(Self(connect_async(url).await.context("subscribe")?.0))
    }

    /// The next frame's bytes.
    async fn next(&mut self) -> Result<Vec<u8>> {
        loop {
            let message = timeout(LONGEST_WAIT, self.0.next()).await.context("no event came")?;
            match message.context("the firehose ended")?? {
                Message::Binary(frame) => return Ok(frame.to_vec()),
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
    length: Duration,
) -> Result<Sample> {
    let mut firehoses = Vec::with_capacity(subscribers);
    for _ in 0..subscribers {
        firehoses.push(Firehose::open(target, None).await?);
    }
    let mut client = Client::connect(target.address).await?;
    let mut latencies_ms = Vec::new();
    target.forget_peak()?;
    let (began, before) = (Instant::now(), target.cpu()?);
    while began.elapsed() < length {
        let rkey = tid();
        let sent = Instant::now();
        let arrivals = try_join_all(firehoses.iter_mut().map(|firehose| arrival(firehose, &rkey)));
        // Awaited together: the event may come before the answer.
        let write = client.send(fixture::create_record(account, Some(&rkey), serial));
        let (answer, arrived) = tokio::join!(write, arrivals);
        answer?;
        let last = arrived?.into_iter().max().context("nobody listens")?;
        latencies_ms.push((last - sent).as_secs_f64() * 1e3);
        tokio::time::sleep(PAUSE).await;
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

/// Writes until the history holds so many events of records.
pub(super) async fn prepare_replay(target: &Target, fixture: &mut Fixture, events: usize) -> Result<()> {
    let calls = Method::CreateRecord.calls(fixture, target.address, WRITERS).await?;
    let mut written = 0.0;
    while written < events as f64 {
        let sample = load::run(target, WRITERS, &calls, Duration::from_secs(2)).await?;
        written += sample.per_second.unwrap_or_default() * 2.0;
    }
    Ok(())
}

/// One subscriber reads so many events of the past, from the first one.
pub(super) async fn replay(target: &Target, events: usize) -> Result<Sample> {
    target.forget_peak()?;
    let (began, before) = (Instant::now(), target.cpu()?);
    let mut firehose = Firehose::open(target, Some(0)).await?;
    for _ in 0..events {
        firehose.next().await?;
    }
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
