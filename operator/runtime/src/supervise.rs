//! Leads while the lease holds, and ends the process when the work ends: a leader that does nothing is worse than none.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lease::Keeper;
use crate::pages::Pages;

/// Longest wait for reconciliations in flight at the end.
const DRAIN: Duration = Duration::from_secs(20);

/// Waits for the lease, does the work, and gives the lease up. The process should end with the exit code: it is a failure when the lease
/// was lost or the work ended by itself.
pub async fn lead<W>(mut keeper: Keeper, pages: Pages, stop: CancellationToken, work: impl FnOnce() -> W) -> ExitCode
where
    W: Future<Output = String> + Send + 'static,
{
    tokio::select! {
        acquired = keeper.acquired() => if let Err(loss) = acquired {
            tracing::error!("this process cannot lead: {loss}");
            return ExitCode::FAILURE;
        },
        () = stop.cancelled() => return ExitCode::SUCCESS,
    }
    tracing::info!("this process leads");
    pages.metrics.set_leader(true);
    let mut work: JoinHandle<String> = tokio::spawn(work());
    tokio::select! {
        loss = keeper.lost() => {
            tracing::error!("the lease is lost ({loss}); another process may lead now, so this one ends");
            work.abort();
            return ExitCode::FAILURE;
        }
        ended = &mut work => {
            // Work that was told to stop may have ended before this looked.
            if !(stop.is_cancelled() && ended.is_ok()) {
                pages.metrics.crashed();
                match ended {
                    Ok(why) => tracing::error!("the controller ended by itself ({why}), so this process ends"),
                    Err(error) => tracing::error!("the controller crashed ({error}), so this process ends"),
                }
                keeper.release().await;
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
    tokio::select! {
        () = drain => {}
        loss = keeper.lost() => {
            tracing::error!("the lease is lost ({loss}) while the last reconciliations end");
            return ExitCode::SUCCESS;
        }
    }
    keeper.release().await;
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::oneshot;

    use super::*;
    use crate::lease::fake::Server;

    const DEADLINE: Duration = Duration::from_secs(10);
    const RETRY: Duration = Duration::from_millis(20);

    /// How a process ended: its exit code, how many crashes it counted, and who holds the lease afterwards.
    async fn end<W>(server: &Server, stop: CancellationToken, work: impl FnOnce() -> W) -> (ExitCode, usize, Value)
    where
        W: Future<Output = String> + Send + 'static,
    {
        let pages = Pages::default();
        let keeper = {
            let server = server.clone();
            Keeper::begin(move || Ok(server.candidate("a").in_a_hurry(DEADLINE, RETRY)))
        };
        let code = lead(keeper, pages.clone(), stop, work).await;
        let text = pages.metrics.text().unwrap();
        let crashes = text.lines().find_map(|line| line.strip_prefix("aurora_operator_crashes_total ")).unwrap();
        (code, crashes.parse().unwrap(), server.spec("holderIdentity"))
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_ends_the_process_and_gives_the_lease_up() {
        let work = || async { panic!("a fault") };
        let ended = end(&Server::default(), CancellationToken::new(), work).await;
        assert_eq!(ended, (ExitCode::FAILURE, 1, Value::Null));
    }

    /// A leader that does nothing would keep others from leading.
    #[tokio::test(start_paused = true)]
    async fn work_that_ends_by_itself_ends_the_process_and_gives_the_lease_up() {
        let work = || async { "its watches ended".to_owned() };
        let ended = end(&Server::default(), CancellationToken::new(), work).await;
        assert_eq!(ended, (ExitCode::FAILURE, 1, Value::Null));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_told_to_stop_may_end_and_is_no_crash() {
        let stop = CancellationToken::new();
        let told = stop.clone();
        let work = || async move {
            told.cancel();
            tokio::time::sleep(DRAIN / 2).await;
            "it was told".to_owned()
        };
        let ended = end(&Server::default(), stop, work).await;
        assert_eq!(ended, (ExitCode::SUCCESS, 0, Value::Null));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_whose_lease_was_taken_stops_its_work_at_once() {
        let server = Server::default();
        let (alive, ended) = oneshot::channel::<()>();
        let taker = server.clone();
        let work = || async move {
            let _alive = alive;
            taker.write("holderIdentity", json!("b"));
            std::future::pending().await
        };
        assert_eq!(end(&server, CancellationToken::new(), work).await, (ExitCode::FAILURE, 0, json!("b")));
        assert!(ended.await.is_err(), "the work is gone");
    }
}
