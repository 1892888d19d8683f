//! Budgets in Redis, shared by the replicas.
//!
//! One script takes the points from all budgets of a request, by the clock of Redis. Each key expires when its budget is whole. All keys have
//! the same hash tag, as Redis Cluster requires. A request never waits for a connection: a failure closes it, a task opens it again.

mod lease;
mod link;
mod probe;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use redis::{Client, Script, ScriptInvocation, TlsCertificates};
use tokio_util::sync::CancellationToken;

use crate::{
    algorithm::Level,
    bounded::{Bounded, Key, Keys},
    limit::{Algorithm, Charge, Standing, micros},
};
use lease::Lease;
use link::Link;
pub use probe::{Probe, ProbeError};

/// How often a closed connection is opened again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Number of [`CHECK_INTERVAL`]s between two heartbeats.
const CHECKS_PER_HEARTBEAT: u32 = 5;
/// Maximum number of leases. They take about 6 MB when full.
const BOUND: usize = 64 * 1024;

/// How to reach Redis.
pub struct Redis {
    /// A `redis://` or `rediss://` URL, with the password.
    pub url: String,
    /// Prefix of all keys.
    pub prefix: String,
    /// Maximum number of connections.
    pub connections: u32,
    /// Certificates in PEM form that `rediss://` trusts in addition to the system's.
    pub ca_bundle: Option<String>,
}

impl Redis {
    fn client(&self) -> Result<Client, redis::RedisError> {
        let Some(pem) = self.ca_bundle.as_ref().filter(|_| self.url.starts_with("rediss:")) else {
            return Client::open(self.url.as_str());
        };
        // The library trusts these certificates instead of the system's.
        let root_cert = Some((system_roots() + pem).into_bytes());
        Client::build_with_tls(self.url.as_str(), TlsCertificates { client_tls: None, root_cert })
    }
}

/// The certificates of the system in PEM form. Unreadable ones are skipped, as the library does.
fn system_roots() -> String {
    let pem = |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(der));
    rustls_native_certs::load_native_certs().certs.iter().map(|certificate| pem(certificate)).collect()
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.prefix)
    }
}

/// The URL of Redis cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL")]
pub struct Error(#[from] redis::RedisError);

pub(crate) struct Shared {
    link: Arc<Link>,
    take: Script,
    /// Prefix of all keys, including the hash tag.
    prefix: String,
    keys: Keys,
    leases: Mutex<Bounded<Lease>>,
    began: Instant,
}

impl Shared {
    /// Tries to connect once. Afterwards a task keeps the connection open until `shutdown`.
    pub(crate) async fn start(redis: &Redis, shutdown: CancellationToken) -> Result<Self, Error> {
        let prefix = format!("{{{}limits}}:", redis.prefix);
        let link = Arc::new(Link::new(redis.client()?, redis.connections, format!("{prefix}replicas")));
        link.send_heartbeat().await;
        if redis.connections > 1 {
            tokio::spawn(open_more(link.clone(), shutdown.clone()));
        }
        tokio::spawn(keep_open(link.clone(), shutdown));
        let take = Script::new(include_str!("take.lua"));
        let leases = Mutex::new(Bounded::new(BOUND));
        Ok(Self { link, take, prefix, keys: Keys::default(), leases, began: Instant::now() })
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_open()
    }

    pub(crate) async fn ping(&self) -> Result<(), String> {
        self.link.ping().await
    }

    pub(crate) fn failures(&self) -> u64 {
        self.link.failures()
    }

    pub(crate) fn replicas(&self) -> u32 {
        self.link.replicas()
    }

    /// Takes the points from all budgets or from none. `None` if Redis cannot be reached.
    pub(crate) async fn take(&self, charges: &[Charge<'_>]) -> Option<Standing> {
        if !self.is_connected() {
            return None;
        }
        let (held, open) = match self.take_leased(charges) {
            Leased::Refused(standing) => return Some(standing),
            Leased::Held { held, open } => (held, open),
        };
        let tightest = held.iter().map(|(_, standing)| *standing).reduce(Standing::tightest);
        if open.is_empty() {
            return tightest;
        }
        let Some(answer) = self.link.ask::<Vec<i64>>(&self.script_call(&open)).await.and_then(Answer::read) else {
            self.give_back(&held);
            return None;
        };
        let asked = self.update_leases(&open, &answer);
        if answer.taken {
            return asked.into_iter().chain(tightest).reduce(Standing::tightest);
        }
        self.give_back(&held);
        asked.into_iter().reduce(Standing::tightest)
    }

    /// Takes the points that this replica holds in advance, unless a refusal is known already.
    fn take_leased<'a>(&self, charges: &'a [Charge<'a>]) -> Leased<'a> {
        let (mut leases, now) = (self.leases(), self.now());
        let refusal = charges.iter().filter_map(|charge| leases.get(self.key(charge))?.refuses(charge, now));
        if let Some(refusal) = refusal.reduce(Standing::tightest) {
            return Leased::Refused(refusal);
        }
        let (mut held, mut open) = (Vec::new(), Vec::new());
        for charge in charges {
            match leases.get(self.key(charge)) {
                None => open.push((charge, 0)),
                Some(lease) => match lease.take(charge, now) {
                    Some(standing) => held.push((charge, standing)),
                    None => open.push((charge, lease.wanted(charge.limit, now))),
                },
            }
        }
        Leased::Held { held, open }
    }

    fn script_call(&self, open: &[(&Charge<'_>, u32)]) -> ScriptInvocation<'_> {
        let mut call = self.take.prepare_invoke();
        for (Charge { limit, subject, .. }, _) in open {
            call.key(format!("{}{}:{subject}", self.prefix, limit.name));
        }
        for (charge, more) in open {
            let limit = charge.limit;
            let (algorithm, unit) = match limit.algorithm {
                Algorithm::Bucket => ("bucket", limit.interval_us()),
                Algorithm::Window => ("window", limit.period_us()),
                Algorithm::Log => ("log", limit.period_us()),
            };
            call.arg(algorithm).arg(limit.burst).arg(unit).arg(charge.cost()).arg(*more);
        }
        call
    }

    fn update_leases(&self, open: &[(&Charge<'_>, u32)], answer: &Answer) -> Vec<Standing> {
        let (mut leases, now) = (self.leases(), self.now());
        let updated = open.iter().zip(&answer.budgets).map(|((charge, _), (given, level))| {
            leases.change(self.key(charge), now, Lease::default, |lease| {
                if answer.taken {
                    lease.record_grant(charge.limit, *given, *level, now);
                } else {
                    lease.record_refusal(charge.cost(), *level, now);
                }
            });
            level.standing(*charge.limit, level.wait_us > 0)
        });
        updated.collect()
    }

    fn give_back(&self, held: &[(&Charge<'_>, Standing)]) {
        let mut leases = self.leases();
        for (charge, _) in held {
            if let Some(lease) = leases.get(self.key(charge)) {
                lease.give_back(charge);
            }
        }
    }

    fn key(&self, charge: &Charge<'_>) -> Key {
        self.keys.key(charge.limit.name, charge.subject)
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    fn leases(&self) -> MutexGuard<'_, Bounded<Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The charges of a request before the call to Redis.
enum Leased<'a> {
    Refused(Standing),
    Held {
        /// Paid with points held in advance.
        held: Vec<(&'a Charge<'a>, Standing)>,
        /// To be paid in Redis, each with the number of points to request in advance.
        open: Vec<(&'a Charge<'a>, u32)>,
    },
}

/// The result of `take.lua`.
struct Answer {
    taken: bool,
    /// For each budget the points granted in advance, and its level afterwards.
    budgets: Vec<(u32, Level)>,
}

impl Answer {
    fn read(numbers: Vec<i64>) -> Option<Self> {
        let (taken, budgets) = numbers.split_first()?;
        let count = |number: i64| u32::try_from(number).unwrap_or(0);
        let budgets = budgets.as_chunks::<4>().0.iter().map(|[given, remaining, reset, wait]| {
            let level =
                Level { remaining: count(*remaining), reset_us: reset.unsigned_abs(), wait_us: wait.unsigned_abs() };
            (count(*given), level)
        });
        Some(Self { taken: *taken == 1, budgets: budgets.collect() })
    }
}

async fn open_more(link: Arc<Link>, shutdown: CancellationToken) {
    while let Some(opened) = shutdown.run_until_cancelled(link.widen()).await {
        if !opened {
            shutdown.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await;
        }
    }
}

async fn keep_open(link: Arc<Link>, shutdown: CancellationToken) {
    let mut checks = 0;
    while shutdown.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await.is_some() {
        checks = (checks + 1) % CHECKS_PER_HEARTBEAT;
        if checks == 0 || !link.is_open() {
            link.send_heartbeat().await;
        }
    }
    link.leave().await;
}
