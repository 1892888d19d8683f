//! A job: its name, when it runs, and what it does.

use std::{fmt, pin::Pin, time::Duration};

use tokio::sync::Mutex;

type Work = Box<dyn Fn(i64) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>> + Send + Sync>;
type Woken = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Which replicas run a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    /// The one that has the lease.
    OneReplica,
    /// Each, for itself.
    EveryReplica,
}

/// A background job.
pub struct Job {
    /// As metrics, logs and commands call it.
    pub name: &'static str,
    /// About the time between two runs.
    pub every: Duration,
    /// Which replicas run it.
    pub runs_on: RunsOn,
    pub(super) work: Work,
    pub(super) woken: Option<Woken>,
    /// Held while this replica runs a job that runs on every replica.
    pub(super) turn: Mutex<()>,
}

impl Job {
    /// A job of one replica. `work` is given the time in microseconds; it is dropped, wherever it is, if the lease is lost.
    pub fn once<F>(name: &'static str, every: Duration, work: impl Fn(i64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let work: Work = Box::new(move |now| Box::pin(work(now)));
        Self { name, every, runs_on: RunsOn::OneReplica, work, woken: None, turn: Mutex::default() }
    }

    /// A job of every replica.
    pub fn everywhere<F>(name: &'static str, every: Duration, work: impl Fn(i64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self { runs_on: RunsOn::EveryReplica, ..Self::once(name, every, work) }
    }

    /// Runs also as soon as the future of `woken` is ready.
    #[must_use]
    pub(super) fn woken_by<F>(self, woken: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { woken: Some(Box::new(move || Box::pin(woken()))), ..self }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({} every {:?})", self.name, self.every)
    }
}
