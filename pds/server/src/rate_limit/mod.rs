//! Which budgets a request draws from. Never answers a request itself.

mod address;
mod connections;
mod shares;
mod sizes;
mod table;

use std::{fmt, net::IpAddr, time::Duration};

use pds_config::{Cidr, Rate, Secrets, Settings};
use pds_limiter::{Charge, Error, Limit, Limiter, Redis, Standing};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

pub use address::{client, subject};
pub use connections::{Busy, Connection, Connections, Place, Socket};
pub use shares::{Share, Shares};
pub use sizes::Sizes;
pub use table::{GUESSES, LOGINS, UPLOADS, WRITES, cost};

/// Who asks, as far as the request's head proves it.
#[derive(Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody in particular.
    Anybody,
    /// An account, by its DID.
    Account(String),
    /// The administrator.
    Admin,
}

impl Asker {
    /// Its tier, as the metrics name it.
    pub fn tier(&self) -> &'static str {
        match self {
            Self::Anybody => "unauthenticated",
            Self::Account(_) => "authenticated",
            Self::Admin => "admin",
        }
    }
}

/// The limits in force.
pub struct RateLimits {
    limiter: Limiter,
    enabled: bool,
    unauthenticated: Limit,
    authenticated: Limit,
    admin: Limit,
    bypass_ips: Vec<Cidr>,
    bypass_key: Option<SecretString>,
    /// Pairs of account and address that have logged in.
    familiar: moka::future::Cache<String, ()>,
}

/// How many such pairs are remembered, and for how long after the last login.
const FAMILIAR: u64 = 100_000;
const FAMILIAR_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl RateLimits {
    /// As the settings say. With Redis a task keeps the connection until `shutdown`; it need not be there yet.
    pub async fn start(settings: &Settings, secrets: &Secrets, shutdown: CancellationToken) -> Result<Self, Error> {
        let limits = &settings.rate_limits;
        let redis = secrets.redis.as_ref().filter(|_| limits.enabled && limits.distributed != Some(false));
        let limiter = match redis {
            Some(url) => {
                let ca_bundle = secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned());
                let redis = Redis { url: url.expose(), prefix: limits.key_prefix.clone(), ca_bundle };
                Limiter::sharing(&redis, shutdown).await?
            }
            None => Limiter::alone(),
        };
        Ok(Self {
            limiter,
            enabled: limits.enabled,
            unauthenticated: tier("unauthenticated", limits.unauthenticated),
            authenticated: tier("authenticated", limits.authenticated),
            admin: tier("admin", limits.admin),
            bypass_ips: limits.bypass_ips.clone(),
            bypass_key: secrets.rate_limit_bypass_key.clone(),
            familiar: moka::future::Cache::builder().max_capacity(FAMILIAR).time_to_idle(FAMILIAR_TIME).build(),
        })
    }

    /// Are requests of this client limited? `key` is what it says in `x-ratelimit-bypass`.
    pub fn concern(&self, client: Option<IpAddr>, key: Option<&[u8]>) -> bool {
        let knows = |(given, wanted): (&[u8], &SecretString)| given.ct_eq(wanted.expose_secret().as_bytes()).into();
        let exempt = client.is_some_and(|client| self.bypass_ips.iter().any(|network| network.contains(client)));
        self.enabled && !exempt && !key.zip(self.bypass_key.as_ref()).is_some_and(knows)
    }

    /// Draws what the head of a request for `method` shows: one from the tier, and what the method costs. A method with a limit of its
    /// own follows that and a wide one per address instead of the burst that anonymous requests have, and so does `sync`.
    pub async fn request(&self, method: &str, asker: &Asker, address: &str, now_us: i64) -> Option<Standing> {
        let own = table::own(method);
        let wide = own.is_some() || method.starts_with("com.atproto.sync.");
        let tier = match asker {
            Asker::Account(did) => Some((&self.authenticated, did.as_str())),
            Asker::Admin => Some((&self.admin, "admin")),
            Asker::Anybody if own.is_some_and(|own| own.alone) => None,
            Asker::Anybody if wide => Some((&table::ADDRESS, address)),
            Asker::Anybody => Some((&self.unauthenticated, address)),
        };
        let subject = match (own.map(|own| own.by), asker) {
            (Some(table::By::Address), _) => Some(address),
            (Some(table::By::Account), Asker::Account(did)) => Some(did.as_str()),
            _ => None,
        };
        let mut charges = Vec::with_capacity(3);
        charges.extend(tier.map(|(limit, subject)| Charge { limit, subject, cost: 1 }));
        if let (Some(own), Some(subject)) = (own, subject) {
            charges.extend(own.limits.iter().map(|limit| Charge { limit, subject, cost: own.cost }));
        }
        self.limiter.take(&charges, now_us).await
    }

    /// Draws what only the body of a request shows.
    pub async fn draw(&self, limits: &[Limit], subject: &str, cost: u32, now_us: i64) -> Option<Standing> {
        let charges: Vec<_> = limits.iter().map(|limit| Charge { limit, subject, cost }).collect();
        self.limiter.take(&charges, now_us).await
    }

    /// Has this pair of account and address logged in here before?
    pub async fn is_familiar(&self, pair: &str) -> bool {
        self.familiar.get(pair).await.is_some()
    }

    /// It has now.
    pub async fn familiarise(&self, pair: String) {
        self.familiar.insert(pair, ()).await;
    }

    /// Whether Redis can be reached and how often it could not; `None` without one.
    pub fn redis(&self) -> Option<(bool, u64)> {
        Some((self.limiter.is_shared()?, self.limiter.failures()))
    }
}

fn tier(name: &'static str, rate: Rate) -> Limit {
    Limit::bucket(name, rate.per_minute, table::MINUTE).with_burst(rate.burst)
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimits({:?})", self.limiter)
    }
}

#[cfg(test)]
mod tests;
