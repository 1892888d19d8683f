//! The entry point: takes points from budgets in Redis or in this process.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::{
    limit::{Algorithm, Charge, Standing},
    local::Local,
    shared::{Error, Redis, Shared},
};

/// Keeps the budgets of all limits.
pub struct Limiter {
    local: Local,
    shared: Option<Shared>,
}

impl Limiter {
    /// Budgets in this process only.
    #[must_use]
    pub fn alone() -> Self {
        Self { local: Local::default(), shared: None }
    }

    /// Budgets in Redis. While Redis cannot be reached, budgets are kept in this process, and each limit is divided by the number of replicas
    /// that Redis last knew. Redis does not have to be reachable at the start.
    ///
    /// # Errors
    /// The URL is not a Redis URL.
    pub async fn sharing(redis: &Redis, shutdown: CancellationToken) -> Result<Self, Error> {
        Ok(Self { local: Local::default(), shared: Some(Shared::start(redis, shutdown).await?) })
    }

    /// Takes the points from all budgets, or from none if one budget lacks points. Returns the strictest budget, or `None` without charges.
    /// `now_us` is the time in microseconds since 1970. Budgets in Redis use the clock of Redis instead.
    pub async fn take(&self, charges: &[Charge<'_>], now_us: i64) -> Option<Standing> {
        let now = u64::try_from(now_us).unwrap_or(0);
        let Some(shared) = &self.shared else { return self.local.take(charges, 1, now) };
        let Some(standing) = shared.take(charges).await else {
            return self.local.take(charges, shared.replicas(), now);
        };
        if standing.retry_after.is_none() {
            // Limits on password guesses are counted here too, so that a failure of Redis does not give clients a new budget.
            for charge in charges.iter().filter(|charge| charge.limit.algorithm == Algorithm::Log) {
                self.local.note(charge, now);
            }
        }
        Some(standing)
    }

    /// Whether Redis can be reached. `None` if budgets are kept in this process only.
    #[must_use]
    pub fn is_shared(&self) -> Option<bool> {
        self.shared.as_ref().map(Shared::is_connected)
    }

    /// Asks Redis for an answer. `None` if budgets are kept in this process only.
    pub async fn ping(&self) -> Option<Result<(), String>> {
        Some(self.shared.as_ref()?.ping().await)
    }

    /// Number of replicas that share the budgets, including this one, as Redis last knew it.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.shared.as_ref().map_or(1, Shared::replicas)
    }

    /// Number of requests to Redis that failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.shared.as_ref().map_or(0, Shared::failures)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter({:?})", self.is_shared())
    }
}
