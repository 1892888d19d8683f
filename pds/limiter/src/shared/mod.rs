//! Budgets in Redis, shared by the replicas.
//!
//! One script draws from all budgets of a request, by the clock of Redis; each key expires when its budget is whole. All keys have one
//! hash tag. Never waits for a Redis that is not there: a failure closes the connection, a task opens it again.

mod lease;
mod link;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use redis::{Client, Script, ScriptInvocation, TlsCertificates};
use tokio_util::sync::CancellationToken;

use crate::{
    bounded::{Bounded, Key, Keys},
    law::Level,
    limit::{Charge, Law, Standing, micros},
};
use lease::Lease;
use link::Link;

/// How soon a lost Redis is looked for again.
const RETRY: Duration = Duration::from_secs(1);
/// Every so many looks this replica says that it is there.
const LOOKS_PER_BEAT: u32 = 5;
/// About 6 MB when full.
const BOUND: usize = 64 * 1024;

/// Where Redis is.
pub struct Redis {
    /// `redis://` or `rediss://`, with the password.
    pub url: String,
    /// Begins every key.
    pub prefix: String,
    /// Certificates in PEM form that `rediss://` trusts beside the system's.
    pub ca_bundle: Option<String>,
}

impl Redis {
    fn client(&self) -> Result<Client, redis::RedisError> {
        let Some(pem) = self.ca_bundle.as_ref().filter(|_| self.url.starts_with("rediss:")) else {
            return Client::open(self.url.as_str());
        };
        // The library takes these instead of the system's.
        let root_cert = Some((system_roots() + pem).into_bytes());
        Client::build_with_tls(self.url.as_str(), TlsCertificates { client_tls: None, root_cert })
    }
}

/// Those that can be read; the library reads them in the same way.
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
    /// With the hash tag.
    prefix: String,
    keys: Keys,
    leases: Mutex<Bounded<Lease>>,
    began: Instant,
}

impl Shared {
    /// Tries to connect once; the rest is the work of a task that lives until `shutdown`.
    pub(crate) async fn start(redis: &Redis, shutdown: CancellationToken) -> Result<Self, Error> {
        let prefix = format!("{{{}limits}}:", redis.prefix);
        let link = Arc::new(Link::new(redis.client()?, format!("{prefix}replicas")));
        link.beat().await;
        tokio::spawn(watch(link.clone(), shutdown));
        let take = Script::new(include_str!("take.lua"));
        let leases = Mutex::new(Bounded::new(BOUND));
        Ok(Self { link, take, prefix, keys: Keys::default(), leases, began: Instant::now() })
    }

    pub(crate) fn is_there(&self) -> bool {
        self.link.is_open()
    }

    pub(crate) fn failures(&self) -> u64 {
        self.link.failures()
    }

    pub(crate) fn replicas(&self) -> u32 {
        self.link.replicas()
    }

    /// Draws from all budgets or from none. `None` if Redis is not there.
    pub(crate) async fn take(&self, charges: &[Charge<'_>]) -> Option<Standing> {
        if !self.is_there() {
            return None;
        }
        let (held, open) = match self.draw_held(charges) {
            Drawn::Refused(standing) => return Some(standing),
            Drawn::Held { held, open } => (held, open),
        };
        let tightest = held.iter().map(|(_, standing)| *standing).reduce(Standing::tightest);
        if open.is_empty() {
            return tightest;
        }
        let Some(answer) = self.link.ask::<Vec<i64>>(&self.question(&open)).await.and_then(Answer::read) else {
            self.give_back(&held);
            return None;
        };
        let asked = self.learn(&open, &answer);
        if answer.drawn {
            return asked.into_iter().chain(tightest).reduce(Standing::tightest);
        }
        self.give_back(&held);
        asked.into_iter().reduce(Standing::tightest)
    }

    /// Draws what it can from what is held here, unless something is known to be too much.
    fn draw_held<'a>(&self, charges: &'a [Charge<'a>]) -> Drawn<'a> {
        let (mut leases, now) = (self.leases(), self.now());
        let refusal = charges.iter().filter_map(|charge| leases.get(self.key(charge))?.refuses(charge, now));
        if let Some(refusal) = refusal.reduce(Standing::tightest) {
            return Drawn::Refused(refusal);
        }
        let (mut held, mut open) = (Vec::new(), Vec::new());
        for charge in charges {
            match leases.get(self.key(charge)) {
                None => open.push((charge, 0)),
                Some(lease) => match lease.draw(charge, now) {
                    Some(standing) => held.push((charge, standing)),
                    None => open.push((charge, lease.more(charge.limit, now))),
                },
            }
        }
        Drawn::Held { held, open }
    }

    fn question(&self, open: &[(&Charge<'_>, u32)]) -> ScriptInvocation<'_> {
        let mut question = self.take.prepare_invoke();
        for (Charge { limit, subject, .. }, _) in open {
            question.key(format!("{}{}:{subject}", self.prefix, limit.name));
        }
        for (charge, more) in open {
            let limit = charge.limit;
            let (law, unit) = match limit.law {
                Law::Bucket => ("bucket", limit.interval_us()),
                Law::Window => ("window", limit.period_us()),
                Law::Log => ("log", limit.period_us()),
            };
            question.arg(law).arg(limit.burst).arg(unit).arg(charge.cost()).arg(*more);
        }
        question
    }

    fn learn(&self, open: &[(&Charge<'_>, u32)], answer: &Answer) -> Vec<Standing> {
        let (mut leases, now) = (self.leases(), self.now());
        let learnt = open.iter().zip(&answer.budgets).map(|((charge, _), (given, level))| {
            leases.change(self.key(charge), now, Lease::default, |lease| {
                if answer.drawn {
                    lease.given(charge.limit, *given, *level, now);
                } else {
                    lease.refused(charge.cost(), *level, now);
                }
            });
            level.standing(*charge.limit, level.wait_us > 0)
        });
        learnt.collect()
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

/// What became of the charges before Redis was asked.
enum Drawn<'a> {
    Refused(Standing),
    Held {
        held: Vec<(&'a Charge<'a>, Standing)>,
        /// And how much to ask for in advance.
        open: Vec<(&'a Charge<'a>, u32)>,
    },
}

/// What the script says.
struct Answer {
    drawn: bool,
    /// Given in advance, and the level after.
    budgets: Vec<(u32, Level)>,
}

impl Answer {
    fn read(numbers: Vec<i64>) -> Option<Self> {
        let (drawn, budgets) = numbers.split_first()?;
        let count = |number: i64| u32::try_from(number).unwrap_or(0);
        let budgets = budgets.as_chunks::<4>().0.iter().map(|[given, remaining, reset, wait]| {
            let level =
                Level { remaining: count(*remaining), reset_us: reset.unsigned_abs(), wait_us: wait.unsigned_abs() };
            (count(*given), level)
        });
        Some(Self { drawn: *drawn == 1, budgets: budgets.collect() })
    }
}

async fn watch(link: Arc<Link>, shutdown: CancellationToken) {
    let mut looks = 0;
    while shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_some() {
        looks = (looks + 1) % LOOKS_PER_BEAT;
        if looks == 0 || !link.is_open() {
            link.beat().await;
        }
    }
    link.leave().await;
}
