//! Sends the mails that wait: at once when this replica queued one, and those that another one left from time to time.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, mail::Mailer, metrics::Metrics, report::chain};

/// Time between two looks for mails of other replicas, and for those to be tried again.
const LOOK: Duration = Duration::from_secs(5);
const NAME: &str = "mails";

/// Sends mails until the server stops.
pub fn start(mailer: Mailer, clock: std::sync::Arc<dyn Clock>, metrics: Metrics, shutdown: CancellationToken) {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = mailer.woken() => {}
                () = sleep(LOOK) => {}
            }
            let began = Instant::now();
            let sent = mailer.send_due().await;
            metrics.job_ran(NAME, began.elapsed(), sent.is_ok().then(|| clock.now_s()));
            if let Err(error) = sent {
                tracing::warn!(job = NAME, error = chain(&error), "mails that wait could not be looked for");
            }
        }
    });
}
