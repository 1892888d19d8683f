//! Holds a Lease from a thread of its own.
//!
//! Renewals share neither threads nor connections with the work. Work that keeps all of its threads busy, or has many requests under way, does not
//! delay them. A process whose work hangs altogether goes on renewing: its health page, which the threads of the work serve, does not answer
//! then, and Kubernetes restarts the process.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Candidate, Loss};

/// For how long the Lease is tried to be given up at the end of the process.
const RELEASE: Duration = Duration::from_secs(5);

/// A candidate in a thread of its own. The thread ends when this is dropped; the Lease then runs out by itself.
#[derive(Debug)]
pub struct Keeper {
    held: oneshot::Receiver<()>,
    lost: oneshot::Receiver<Loss>,
    /// Tells the thread to give the Lease up. Dropped, it tells the thread to end.
    release: Option<oneshot::Sender<()>>,
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<()>,
}

impl Keeper {
    /// Begins to try. `candidate` is called in the thread, so that its client uses the connections of the thread.
    #[must_use]
    pub fn begin(candidate: impl FnOnce() -> kube::Result<Candidate> + Send + 'static) -> Self {
        let (tell_held, held) = oneshot::channel();
        let (tell_lost, lost) = oneshot::channel();
        let (release, told) = oneshot::channel();
        let (alive, ended) = oneshot::channel::<()>();
        let run = move || {
            let _alive = alive;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let loss = match runtime {
                Ok(runtime) => runtime.block_on(async {
                    match candidate() {
                        Ok(candidate) => keep(candidate, tell_held, told).await,
                        Err(error) => Some(Loss::NoThread(error.to_string())),
                    }
                }),
                Err(error) => Some(Loss::NoThread(error.to_string())),
            };
            // Nobody may be interested any more.
            if let Some(loss) = loss {
                tell_lost.send(loss).ok();
            }
        };
        if let Err(error) = thread::Builder::new().name("lease".into()).spawn(run) {
            // What the thread would have told is dropped with it, and counts as a loss.
            tracing::error!(%error, "the thread that renews the lease cannot begin");
        }
        Self { held, lost, release: Some(release), ended }
    }

    /// Waits until this process leads.
    ///
    /// # Errors
    /// The thread cannot work.
    pub async fn acquired(&mut self) -> Result<(), Loss> {
        match (&mut self.held).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.lost().await),
        }
    }

    /// Waits until the lease is lost. To be called until it has answered, and not after.
    pub async fn lost(&mut self) -> Loss {
        (&mut self.lost).await.unwrap_or_else(|_| Loss::NoThread("it crashed".into()))
    }

    /// Gives the lease up, so that another need not wait for its end. Returns when the thread has ended.
    pub async fn release(mut self) {
        if let Some(release) = self.release.take() {
            release.send(()).ok();
        }
        self.ended.await.ok();
    }
}

/// Takes the Lease and renews it until it is lost, or `told` to end. Nothing if it was told.
async fn keep(mut candidate: Candidate, held: oneshot::Sender<()>, mut told: oneshot::Receiver<()>) -> Option<Loss> {
    tokio::select! {
        () = candidate.acquire() => {}
        _ = &mut told => return None,
    }
    held.send(()).ok();
    let told = tokio::select! {
        loss = candidate.keep() => return Some(loss),
        told = told => told,
    };
    // Whoever goes without a word is a process that was killed.
    if told.is_ok() {
        match tokio::time::timeout(RELEASE, candidate.release()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given up; it runs out by itself"),
            Err(_) => tracing::warn!("the lease was not given up in time; it runs out by itself"),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::{Value, json};

    use super::super::fake::Server;
    use super::*;

    const DEADLINE: Duration = Duration::from_millis(300);
    const RETRY: Duration = Duration::from_millis(20);

    fn keeper(server: &Server) -> Keeper {
        let server = server.clone();
        Keeper::begin(move || Ok(server.candidate("a").in_a_hurry(DEADLINE, RETRY)))
    }

    /// L1 of the ninth attack.
    #[test]
    fn work_that_keeps_every_thread_busy_loses_no_lease() {
        let server = Server::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut keeper = keeper(&server);
            keeper.acquired().await.unwrap();
            let (before, began) = (server.shelf().version, Instant::now());
            let busy = tokio::spawn(async {
                std::thread::sleep(DEADLINE * 4);
            });
            busy.await.unwrap();
            assert!(began.elapsed() >= DEADLINE * 4);
            assert!(server.shelf().version >= before + 4, "it was renewed meanwhile");
            let lost = tokio::time::timeout(Duration::ZERO, keeper.lost()).await;
            assert!(lost.is_err(), "{lost:?}");
            keeper.release().await;
        });
        assert_eq!(server.spec("holderIdentity"), Value::Null);
    }

    #[tokio::test]
    async fn one_that_is_dropped_renews_no_more_and_gives_nothing_up() {
        let server = Server::default();
        let mut dropped = keeper(&server);
        dropped.acquired().await.unwrap();
        let Keeper { release, ended, .. } = dropped;
        drop(release);
        ended.await.unwrap_err();
        let version = server.shelf().version;
        tokio::time::sleep(RETRY * 5).await;
        assert_eq!(server.shelf().version, version);
        assert_eq!(server.spec("holderIdentity"), json!("a"));
    }

    #[tokio::test]
    async fn a_thread_that_cannot_work_is_a_loss() {
        let mut keeper = Keeper::begin(|| Err(kube::Error::LinesCodecMaxLineLengthExceeded));
        assert!(matches!(keeper.acquired().await, Err(Loss::NoThread(_))));
    }
}
