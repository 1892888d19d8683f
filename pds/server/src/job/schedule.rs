//! When jobs run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, metrics::Metrics, report::chain};

/// Runs jobs until the server stops.
pub(super) struct Schedule {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) shutdown: CancellationToken,
}

impl Schedule {
    /// Runs `job` about as often as `every`. It is given the time in microseconds.
    pub(super) fn spawn<F>(&self, name: &'static str, every: Duration, job: impl Fn(i64) -> F + Send + 'static)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (clock, metrics, shutdown) = (self.clock.clone(), self.metrics.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            loop {
                let pause = every.mul_f64(0.75 + 0.5 * rand::random::<f64>());
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = sleep(pause) => {}
                }
                let began = Instant::now();
                let result = job(clock.now_us()).await;
                let succeeded_at = result.is_ok().then(|| clock.now_s());
                metrics.job_ran(name, began.elapsed(), succeeded_at);
                if let Err(error) = result {
                    tracing::warn!(job = name, error = chain(error.as_ref()), "job {name} failed");
                }
            }
        });
    }
}
