//! A run under a lease: works, renews the lease meanwhile, and stops when the lease is lost.

use std::time::{Duration, Instant};

use pds_store::{Db, job};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, report::chain};

/// Characters of an error that are kept.
const ERROR_CHARS: usize = 1_000;

/// A run of a job by this replica.
pub(super) struct Run<'a> {
    pub(super) db: &'a Db,
    pub(super) clock: &'a dyn Clock,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) name: &'static str,
    pub(super) run: i64,
    pub(super) lease: Duration,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    /// With an error, or a panic.
    Failed(String),
    /// The server stops.
    Interrupted,
    /// The lease could not be renewed in time, or another replica has it.
    Lost,
}

impl Outcome {
    /// For the database, metrics and logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Succeeded => "success",
            Self::Failed(_) => "failure",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }
}

impl Run<'_> {
    /// Waits for `task` and keeps the lease meanwhile. The task has ended when this returns.
    pub(super) async fn hold(&self, mut task: JoinHandle<anyhow::Result<()>>) -> Outcome {
        let mut renewed = Instant::now();
        loop {
            let stopped = tokio::select! {
                joined = &mut task => return outcome(joined, Outcome::Interrupted),
                () = self.shutdown.cancelled() => Some(Outcome::Interrupted),
                () = sleep(self.lease / 6) => match self.renew().await {
                    Ok(true) => {
                        renewed = Instant::now();
                        None
                    }
                    Ok(false) => Some(Outcome::Lost),
                    // The clocks of replicas may differ: others may take the lease earlier than this one thinks.
                    Err(_) if renewed.elapsed() >= self.lease / 2 => Some(Outcome::Lost),
                    Err(error) => {
                        tracing::warn!(job = self.name, run = self.run, error, "the lease of job {} could not be renewed yet", self.name);
                        None
                    }
                },
            };
            if let Some(stopped) = stopped {
                task.abort();
                return outcome(task.await, stopped);
            }
        }
    }

    async fn renew(&self) -> Result<bool, String> {
        let until = self.clock.now_us() + micros(self.lease);
        match timeout(self.lease / 6, job::renew(self.db, self.name, self.run, until)).await {
            Ok(renewed) => renewed.map_err(|error| chain(&error)),
            Err(_) => Err("the database does not answer in time".to_owned()),
        }
    }
}

/// What became of a task; `stopped` if it was stopped before its end.
fn outcome(joined: Result<anyhow::Result<()>, tokio::task::JoinError>, stopped: Outcome) -> Outcome {
    match joined {
        Ok(Ok(())) => Outcome::Succeeded,
        Ok(Err(error)) => Outcome::Failed(shorten(&chain(error.as_ref()))),
        Err(error) if error.is_panic() => Outcome::Failed("it has panicked, see the log".to_owned()),
        Err(_) => stopped,
    }
}

fn shorten(error: &str) -> String {
    match error.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error.to_owned(),
    }
}

/// In microseconds.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_up_to_a_length() {
        assert_eq!(shorten("why"), "why");
        let long = shorten(&"ü".repeat(5_000));
        assert_eq!(long.chars().count(), ERROR_CHARS + 1);
    }
}
