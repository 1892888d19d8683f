//! Waits for a condition, with a deadline. Tests use this instead of sleeping for a fixed time.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// Limit for the slowest step of a test: first start of PostgreSQL, migration and rollout, on two busy cores.
pub const LONG: Duration = Duration::from_secs(180);
/// Limit for a step that needs the operator and the API server only.
pub const SHORT: Duration = Duration::from_secs(60);

/// Calls `check` every 100 ms until it returns a value. After `limit` it returns the last error of `check`.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut check: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        let last = match check().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(last).with_context(|| format!("{what}: not reached within {limit:?}"));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The result of a check in [`until`] that is not successful yet. `reason` becomes part of the error at the deadline.
pub fn not_yet<T>(reason: impl std::fmt::Display) -> Result<T> {
    bail!("{reason}")
}
