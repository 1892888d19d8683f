//! Waiting for a condition with a deadline. Tests never sleep for a guessed time.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// How long the slowest step of a test may take: a first start of PostgreSQL, a migration and a rollout on two busy cores.
pub const LONG: Duration = Duration::from_secs(180);
/// For what the operator or the API server does by itself.
pub const SHORT: Duration = Duration::from_secs(60);

/// Polls `check` until it yields a value. The last reason it gave for not being done is part of the error.
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
            return Err(last).with_context(|| format!("{what}: not within {limit:?}"));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// For use inside [`until`]: not done yet, because of `reason`.
pub fn not_yet<T>(reason: impl std::fmt::Display) -> Result<T> {
    bail!("{reason}")
}
