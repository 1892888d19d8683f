//! Limits of requests, connections and memory per caller. Never answers a request itself.

mod address;
mod budget;
mod connections;
mod principal;
mod shares;
mod sizes;
mod table;
mod turns;

use std::{fmt, net::IpAddr, time::Duration};

use pds_config::{Cidr, Rate, Secrets, Settings};
use pds_limiter::{Charge, Error, Limit, Limiter, Redis, Standing};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

pub use address::{client, subject};
pub use budget::{Budget, Client, Part};
pub use connections::{Busy, Connection, Connections, Place, Socket};
pub use principal::Principal;
pub use shares::{Share, Shares};
pub use sizes::Sizes;
pub use table::{
    GUESSES, LEXICONS, LOGINS, MethodLimits, PASSWORD_RESETS, REFRESHES, SIGN_IN_CODES, UNKNOWN_LEXICONS, UPLOADS,
    WRITES, cost,
};
pub use turns::{Turn, Turns};

/// The limits in force.
pub struct RateLimits {
    limiter: Limiter,
    enabled: bool,
    unauthenticated: Limit,
    authenticated: Limit,
    admin: Limit,
    bypass_ips: Vec<Cidr>,
    bypass_key: Option<SecretString>,
    /// Pairs of account and address with a successful login.
    logins: moka::future::Cache<String, ()>,
}

/// Number of such pairs that are remembered, and for how long after the last login.
const REMEMBERED_LOGINS: u64 = 100_000;
const REMEMBERED_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl RateLimits {
    /// The limits of the settings. With Redis a task keeps a connection to it until `shutdown`; Redis need not be reachable yet.
    ///
    /// # Errors
    /// When the URL of Redis or a certificate cannot be used.
    pub async fn start(settings: &Settings, secrets: &Secrets, shutdown: CancellationToken) -> Result<Self, Error> {
        let limits = &settings.rate_limits;
        let redis = secrets.redis.as_ref().filter(|_| limits.enabled && limits.distributed != Some(false));
        let limiter = match redis {
            Some(url) => {
                let ca_bundle = secrets.ca_bundle.as_ref().map(|bundle| bundle.pem().to_owned());
                let redis = Redis {
                    url: url.expose(),
                    prefix: limits.key_prefix.clone(),
                    connections: limits.redis_connections,
                    ca_bundle,
                };
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
            logins: moka::future::Cache::builder()
                .max_capacity(REMEMBERED_LOGINS)
                .time_to_idle(REMEMBERED_TIME)
                .build(),
        })
    }

    /// Whether requests of this client are limited. `key` is its header `x-ratelimit-bypass`.
    pub fn apply_to(&self, client: Option<IpAddr>, key: Option<&[u8]>) -> bool {
        let knows = |(given, wanted): (&[u8], &SecretString)| given.ct_eq(wanted.expose_secret().as_bytes()).into();
        let exempt = client.is_some_and(|client| self.bypass_ips.iter().any(|network| network.contains(client)));
        self.enabled && !exempt && !key.zip(self.bypass_key.as_ref()).is_some_and(knows)
    }

    /// Charges what the head of a request shows: one point of the principal's tier, and the cost of the method. A method with limits of its own
    /// has these and a wide limit per address instead of the burst of anonymous requests.
    pub async fn charge_request(
        &self,
        limits: Option<&MethodLimits>,
        principal: &Principal,
        address: &str,
        now_us: i64,
    ) -> Option<Standing> {
        let tier = match principal {
            Principal::Account(did) => Some((&self.authenticated, did.as_str())),
            Principal::Admin => Some((&self.admin, "admin")),
            Principal::Anybody => match limits {
                Some(limits) => limits.address().map(|limit| (limit, address)),
                None => Some((&self.unauthenticated, address)),
            },
        };
        let mut charges = Vec::with_capacity(3);
        charges.extend(tier.map(|(limit, subject)| Charge { limit, subject, cost: 1 }));
        charges.extend(limits.into_iter().flat_map(|limits| limits.charges(principal, address)));
        self.limiter.take(&charges, now_us).await
    }

    /// Charges what only the body of a request shows.
    pub async fn charge(&self, limits: &[Limit], subject: &str, cost: u32, now_us: i64) -> Option<Standing> {
        let charges: Vec<_> = limits.iter().map(|limit| Charge { limit, subject, cost }).collect();
        self.limiter.take(&charges, now_us).await
    }

    /// Whether there was a successful login with this pair of account and address.
    pub async fn has_logged_in(&self, pair: &str) -> bool {
        self.logins.get(pair).await.is_some()
    }

    /// Remembers a successful login.
    pub async fn remember_login(&self, pair: String) {
        self.logins.insert(pair, ()).await;
    }

    /// Whether Redis can be reached, and how often it could not; `None` if none is set.
    pub fn redis(&self) -> Option<(bool, u64)> {
        Some((self.limiter.is_shared()?, self.limiter.failures()))
    }

    /// Asks Redis for an answer; `None` if none is set.
    pub async fn ping_redis(&self) -> Option<Result<(), String>> {
        self.limiter.ping().await
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
