//! Bounds what one reconciliation can do to the others: it cannot take the process down, and it cannot run for ever.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

/// How a guarded future failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Crash {
    /// The future panicked.
    #[error("the code panicked: {0}")]
    Panicked(String),
    /// The future did not end before the time limit.
    #[error("the code did not end within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Runs a future to its end, to its panic, or until `limit`.
///
/// # Errors
/// The panic, or the time limit.
pub async fn guarded<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, Crash> {
    match tokio::time::timeout(limit, AssertUnwindSafe(future).catch_unwind()).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            Err(Crash::Panicked(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()))
        }
        Err(_) => Err(Crash::TimedOut(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_an_endless_future_become_errors() {
        let limit = Duration::from_secs(5);
        assert_eq!(guarded(limit, async { 1 }).await, Ok(1));
        assert_eq!(guarded(limit, async { panic!("oh {}", 1) }).await, Err::<(), _>(Crash::Panicked("oh 1".into())));
        assert_eq!(guarded(limit, std::future::pending::<()>()).await, Err(Crash::TimedOut(limit)));
    }
}
