//! The well-behaved clients: one that writes and one that reads, each at a steady pace.
//!
//! They run on a thread of their own with a higher priority than everything else on the machine. In a real deployment they run on other machines, so
//! what they wait for is the server and not their own turn on a core that they share with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime;
use tokio::time::{sleep_until, timeout};

use crate::client::{Call, Client};
use crate::fixture::{self, Account, Filled, POST};
use crate::stats::percentile;

/// Time between two requests.
const WRITE_EVERY: Duration = Duration::from_millis(20);
const READ_EVERY: Duration = Duration::from_millis(10);
/// A request that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(30);
/// Above the default of 0; lower means sooner. Needs root, and is left out without.
const PRIORITY: i32 = -10;

/// Address and accounts of the bystander.
#[derive(Clone)]
pub(super) struct Witness {
    pub(super) address: SocketAddr,
    pub(super) writer: Account,
    pub(super) read: Filled,
    pub(super) serial: Arc<AtomicU64>,
}

/// Requests of one kind.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// Of the requests that were answered with 200.
    ms: Vec<f64>,
    /// Answers of 500 and above.
    pub(super) server_errors: u64,
    /// Other answers, broken connections, time-outs.
    pub(super) others: u64,
    failure: Option<String>,
}

/// What the bystander met in one phase.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) writes: Latencies,
    pub(super) reads: Latencies,
}

impl Observed {
    /// One of the failures.
    pub(super) fn failure(&self) -> Option<&String> {
        self.writes.failure.as_ref().or(self.reads.failure.as_ref())
    }
}

/// A phase that has begun.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Observed>>,
}

impl Witness {
    pub(super) fn watch(&self) -> Watch {
        let (witness, stop) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let seen = stop.clone();
        let thread = std::thread::spawn(move || {
            let _ = rustix::process::setpriority_process(None, PRIORITY);
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(witness.observe(&seen))
        });
        Watch { stop, thread }
    }

    async fn observe(&self, stop: &AtomicBool) -> Result<Observed> {
        let write = |_| fixture::create_record(&self.writer, None, &self.serial);
        let (did, rkeys) = (&self.read.account.did, &self.read.rkeys);
        let read = |number: usize| {
            Call::get(match number % 2 {
                0 => format!("/xrpc/com.atproto.repo.listRecords?repo={did}&collection={POST}&limit=50"),
                _ => {
                    let rkey = &rkeys[number % rkeys.len()];
                    format!("/xrpc/com.atproto.repo.getRecord?repo={did}&collection={POST}&rkey={rkey}")
                }
            })
        };
        let writes = pace(self.address, WRITE_EVERY, write, stop);
        let (writes, reads) = tokio::join!(writes, pace(self.address, READ_EVERY, read, stop));
        Ok(Observed { writes: writes?, reads: reads? })
    }
}

impl Watch {
    pub(super) async fn end(self) -> Result<Observed> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow::anyhow!("the bystander panicked"))?.context("the bystander")
    }
}

/// One request every so often. Those that were due while one was waited for are not sent: each counts with the time that it would have waited
/// for the same answer. A pause of a second is thereby met by all who come in that second, and not by one.
async fn pace(
    address: SocketAddr,
    every: Duration,
    call: impl Fn(usize) -> Call,
    stop: &AtomicBool,
) -> Result<Latencies> {
    let mut client = Client::connect(address).await?;
    let (mut seen, mut due, mut number) = (Latencies::default(), Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        sleep_until(due.into()).await;
        let began = Instant::now();
        match timeout(LONGEST, client.status(call(number))).await {
            Ok(Ok(200)) => seen.answered(began.elapsed(), every),
            Ok(Ok(status)) if status >= 500 => seen.fail(true, status.to_string()),
            Ok(Ok(status)) => seen.fail(false, status.to_string()),
            Ok(Err(error)) => seen.fail(false, format!("{error:#}")),
            Err(_) => {
                seen.fail(false, format!("no answer within {LONGEST:?}"));
                client = Client::connect(address).await?;
            }
        }
        due = (due + every).max(Instant::now());
        number += 1;
    }
    Ok(seen)
}

impl Latencies {
    /// This request, and those that were due meanwhile.
    fn answered(&mut self, mut waited: Duration, every: Duration) {
        self.ms.push(waited.as_secs_f64() * 1e3);
        while waited > every {
            waited -= every;
            self.ms.push(waited.as_secs_f64() * 1e3);
        }
    }

    fn fail(&mut self, server: bool, failure: String) {
        if server {
            self.server_errors += 1
        } else {
            self.others += 1
        }
        self.failure = Some(failure);
    }

    pub(super) fn percentile_ms(&self, percent: usize) -> f64 {
        let mut sorted = self.ms.clone();
        sorted.sort_by(f64::total_cmp);
        percentile(&sorted, percent).unwrap_or(f64::NAN)
    }

    /// All requests of both.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            ms: [self.ms.as_slice(), &other.ms].concat(),
            server_errors: self.server_errors + other.server_errors,
            others: self.others + other.others,
            failure: self.failure.clone().or_else(|| other.failure.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_met_by_all_who_come_in_it() {
        let mut seen = Latencies::default();
        let (second, every) = (Duration::from_secs(1), Duration::from_millis(20));
        for _ in 0..50 {
            seen.answered(every / 10, every);
        }
        assert_eq!((seen.percentile_ms(50), seen.percentile_ms(99)), (2.0, 2.0));
        seen.answered(second, every);
        assert_eq!(seen.ms.len(), 100);
        assert_eq!((seen.percentile_ms(99), seen.percentile_ms(100)), (980.0, 1000.0));
    }
}
