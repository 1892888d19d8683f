//! Leads while the lease holds, and ends the process when the work ends: a leader that does nothing is worse than none.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lease::Candidate;
use crate::pages::Pages;

/// Longest wait for reconciliations in flight at the end.
const DRAIN: Duration = Duration::from_secs(20);

/// Waits for the lease, does the work, and gives the lease up. The process should end with the exit code: it is a failure when the lease
/// was lost or the work ended by itself.
pub async fn lead<W>(
    mut candidate: Candidate,
    pages: Pages,
    stop: CancellationToken,
    work: impl FnOnce() -> W,
) -> ExitCode
where
    W: Future<Output = String> + Send + 'static,
{
    tokio::select! {
        () = candidate.acquire() => {}
        () = stop.cancelled() => return ExitCode::SUCCESS,
    }
    tracing::info!("this process leads");
    pages.metrics.set_leader(true);
    let mut work: JoinHandle<String> = tokio::spawn(work());
    tokio::select! {
        () = candidate.keep() => {
            tracing::error!("the lease is lost; another process may lead now, so this one ends");
            work.abort();
            return ExitCode::FAILURE;
        }
        // Work that was told to stop may have ended before this looked.
        ended = &mut work => {
            // Work that was told to stop may have ended before this looked.
            if !(stop.is_cancelled() && ended.is_ok()) {
                pages.metrics.crashed();
                match ended {
                    Ok(why) => tracing::error!("the controller ended by itself ({why}), so this process ends"),
                    Err(error) => tracing::error!("the controller crashed ({error}), so this process ends"),
                }
                release(&candidate).await;
                return ExitCode::FAILURE;
            }
        }
        () = stop.cancelled() => {}
    }
    pages.stopping();
    // The lease is kept while the last writes go out, and given up after.
    let drain = async {
        if !work.is_finished() && tokio::time::timeout(DRAIN, work).await.is_err() {
            tracing::warn!("some reconciliations did not end within {} s", DRAIN.as_secs());
        }
    };
    tokio::select! { () = drain => {} () = candidate.keep() => {} }
    release(&candidate).await;
    ExitCode::SUCCESS
}

async fn release(candidate: &Candidate) {
    if let Err(error) = candidate.release().await {
        tracing::warn!(%error, "the lease was not given up; it runs out by itself");
    }
}
