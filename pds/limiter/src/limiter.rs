//! Where budgets are kept.

use std::fmt;

use tokio_util::sync::CancellationToken;

use crate::{
    limit::{Charge, Law, Standing},
    local::Local,
    shared::{Error, Redis, Shared},
};

/// Keeps budgets.
pub struct Limiter {
    local: Local,
    shared: Option<Shared>,
}

impl Limiter {
    /// In this process.
    #[must_use]
    pub fn alone() -> Self {
        Self { local: Local::default(), shared: None }
    }

    /// In Redis. While it cannot be reached, in this process, which then keeps to one of as many parts of each limit as there were
    /// replicas. That holds from the start: Redis need not be there yet.
    ///
    /// # Errors
    /// The URL is none of Redis.
    pub async fn sharing(redis: &Redis, shutdown: CancellationToken) -> Result<Self, Error> {
        Ok(Self { local: Local::default(), shared: Some(Shared::start(redis, shutdown).await?) })
    }

    /// Draws from all budgets or, if one lacks the points, from none. Answers the standing that binds; `None` if nothing is charged.
    /// `now_us` is the time in microseconds since 1970; Redis goes by its own.
    pub async fn take(&self, charges: &[Charge<'_>], now_us: i64) -> Option<Standing> {
        let now = u64::try_from(now_us).unwrap_or(0);
        let Some(shared) = &self.shared else { return self.local.take(charges, 1, now) };
        let Some(standing) = shared.take(charges).await else {
            return self.local.take(charges, shared.replicas(), now);
        };
        if standing.retry_after.is_none() {
            // What guards passwords is remembered here too, so that losing Redis gives nobody a fresh budget.
            for charge in charges.iter().filter(|charge| charge.limit.law == Law::Log) {
                self.local.note(charge, now);
            }
        }
        Some(standing)
    }

    /// Whether Redis can be reached; `None` if there is none.
    #[must_use]
    pub fn is_shared(&self) -> Option<bool> {
        self.shared.as_ref().map(Shared::is_there)
    }

    /// How many share the budgets, this one included, as far as is known.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        self.shared.as_ref().map_or(1, Shared::replicas)
    }

    /// How often Redis did not answer.
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
