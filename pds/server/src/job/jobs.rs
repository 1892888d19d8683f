//! When jobs run, and where.
//!
//! Each replica looks every few seconds for jobs that are due and whose lease nobody has, and takes the lease of those. A random part of each pause keeps
//! replicas and jobs apart.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pds_store::{Db, job};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    lease::{Outcome, Run, micros},
    view::View,
    work::{Job, RunsOn},
};
use crate::{clock::Clock, metrics::Metrics, report::chain};

/// Time between two looks for jobs that are due.
const LOOK: Duration = Duration::from_secs(5);
/// The longest wait for the first run on a new database, so that a host sees soon whether its jobs work.
const FIRST: Duration = Duration::from_secs(60);
/// Pause after the first failure; it doubles with each up to the job's interval.
const RETRY: Duration = Duration::from_secs(30);
/// Attempts to write down the end of a run, and the pause between them.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// What jobs run with.
pub struct Setup {
    /// Leases and outcomes.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Shows when each job ran.
    pub metrics: Metrics,
    /// Ends all jobs.
    pub shutdown: CancellationToken,
    /// Time after which another replica may run a job whose replica is silent.
    pub lease: Duration,
}

/// The jobs of this replica. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    setup: Setup,
    jobs: Vec<Job>,
    /// This replica's name in leases.
    holder: String,
    /// Whether the last look failed, to log a failure once.
    is_blind: Mutex<bool>,
}

/// Why a job was not started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No job has this name.
    #[error("there is no job {name:?}; allowed: {allowed}")]
    Unknown { name: String, allowed: String },
    /// It is being run.
    #[error("{name} is being run by {holder} since {since}")]
    Running { name: &'static str, holder: String, since: String },
    /// This replica stops.
    #[error("this server is stopping")]
    Stopping,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl Jobs {
    /// These jobs. Runs none before [`Jobs::start`].
    pub fn new(setup: Setup, jobs: Vec<Job>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let holder = format!("{}/{:08x}", host.chars().take(200).collect::<String>(), rand::random::<u32>());
        Self(Arc::new(Inner { setup, jobs, holder, is_blind: Mutex::default() }))
    }

    /// This replica's name in leases: the host's or pod's name, and a random part.
    pub fn holder(&self) -> &str {
        &self.0.holder
    }

    /// Runs jobs from now on, until the server stops.
    pub fn start(&self) {
        for (at, job) in self.0.jobs.iter().enumerate() {
            if job.runs_on == RunsOn::EveryReplica {
                tokio::spawn(self.clone().repeat(at));
            }
        }
        tokio::spawn(self.clone().schedule());
    }

    /// All jobs and what became of their last runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> pds_store::Result<Vec<View>> {
        let (rows, now) = (job::all(&self.0.setup.db).await?, self.0.setup.clock.now_us());
        let view = |job: &Job| View::new(job, rows.iter().find(|row| row.name == job.name), now);
        Ok(self.0.jobs.iter().map(view).collect())
    }

    /// Starts a job on this replica although it is not due.
    ///
    /// # Errors
    /// When it was not started; also if it is being run.
    pub async fn run(&self, name: &str) -> Result<View, RunError> {
        let Some(at) = self.0.jobs.iter().position(|job| job.name == name) else {
            let names: Vec<_> = self.0.jobs.iter().map(|job| job.name).collect();
            return Err(RunError::Unknown { name: name.chars().take(100).collect(), allowed: names.join(", ") });
        };
        let (job, Setup { shutdown, db, clock, .. }) = (&self.0.jobs[at], &self.0.setup);
        if shutdown.is_cancelled() {
            return Err(RunError::Stopping);
        }
        if job.runs_on == RunsOn::EveryReplica {
            if job.turn.try_lock().is_err() {
                return Err(RunError::Running {
                    name: job.name,
                    holder: self.0.holder.clone(),
                    since: "a moment".to_owned(),
                });
            }
            let this = self.clone();
            tokio::spawn(async move { this.run_here(at).await });
            return Ok(View::new(job, None, clock.now_us()));
        }
        self.enter().await?;
        let started = self.take(at, i64::MAX).await?;
        let rows = job::all(db).await?;
        let row = rows.iter().find(|row| row.name == job.name);
        if !started {
            let holder = row.and_then(|row| row.holder.clone()).unwrap_or_default();
            let since = row.and_then(|row| row.started_at).map(crate::clock::text).unwrap_or_default();
            return Err(RunError::Running { name: job.name, holder, since });
        }
        Ok(View::new(job, row, clock.now_us()))
    }

    /// Starts the jobs that are due and that nobody runs. Returns how many this replica has started.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self) -> pds_store::Result<usize> {
        let Setup { db, clock, metrics, .. } = &self.0.setup;
        let (rows, mut started) = (job::all(db).await?, 0);
        for (at, job) in self.0.jobs.iter().enumerate().filter(|(_, job)| job.runs_on == RunsOn::OneReplica) {
            let Some(row) = rows.iter().find(|row| row.name == job.name) else { continue };
            if let Some(succeeded) = row.succeeded_at {
                metrics.job_succeeded(job.name, succeeded / 1_000_000);
            }
            let now = clock.now_us();
            if row.due > now || row.is_running(now) || !self.take(at, now).await? {
                continue;
            }
            started += 1;
            if row.is_abandoned(now) {
                let holder = row.holder.as_deref().unwrap_or_default();
                tracing::warn!(
                    job = job.name,
                    holder,
                    "{holder} has not ended its run of job {}, this replica runs it again",
                    job.name
                );
            }
        }
        Ok(started)
    }

    /// Makes the jobs known to the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enter(&self) -> pds_store::Result<()> {
        let Setup { db, clock, .. } = &self.0.setup;
        let now = clock.now_us();
        let jobs = self.0.jobs.iter().filter(|job| job.runs_on == RunsOn::OneReplica);
        let entry = |job: &Job| job::Entry {
            name: job.name,
            first: now + jittered(job.every.min(FIRST)),
            latest: now + micros(job.every.mul_f64(LONGEST)),
        };
        job::enter(db, &jobs.map(entry).collect::<Vec<_>>()).await
    }

    async fn schedule(self) {
        let shutdown = &self.0.setup.shutdown;
        let mut is_entered = false;
        loop {
            let looked = async {
                if !is_entered {
                    self.enter().await?;
                }
                self.look().await
            };
            let looked = looked.await;
            is_entered |= looked.is_ok();
            self.say(looked.err());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(LOOK.mul_f64(jitter())) => {}
            }
        }
    }

    fn say(&self, error: Option<pds_store::Error>) {
        let mut was_blind = self.0.is_blind.lock().unwrap_or_else(PoisonError::into_inner);
        match &error {
            Some(error) if !*was_blind => {
                tracing::warn!(error = chain(error), "the database does not say which jobs are due: none is started");
            }
            None if *was_blind => tracing::info!("jobs are started again"),
            _ => {}
        }
        *was_blind = error.is_some();
    }

    /// Takes the lease of a job that is due at `due_by`, and runs it. Returns whether it was to be had.
    async fn take(&self, at: usize, due_by: i64) -> pds_store::Result<bool> {
        let (job, Setup { db, clock, lease, shutdown, .. }) = (&self.0.jobs[at], &self.0.setup);
        if shutdown.is_cancelled() {
            return Ok(false);
        }
        let now = clock.now_us();
        let taken = job::take(db, job.name, &self.0.holder, now, now + micros(*lease), due_by).await?;
        if let Some(run) = taken {
            let this = self.clone();
            tokio::spawn(async move { this.run_leased(at, run, now).await });
        }
        Ok(taken.is_some())
    }

    /// Runs a job whose lease this replica has, and writes down how it ended.
    async fn run_leased(&self, at: usize, run: i64, now: i64) {
        let (job, Setup { db, clock, metrics, shutdown, lease }) = (&self.0.jobs[at], &self.0.setup);
        let began = Instant::now();
        let task = tokio::spawn((job.work)(now));
        let held = Run { db, clock: &**clock, shutdown, name: job.name, run, lease: *lease };
        let outcome = held.hold(task).await;
        let took = began.elapsed();
        let succeeded = (outcome == Outcome::Succeeded).then(|| clock.now_s());
        metrics.job_ran(job.name, outcome.name(), took, succeeded);
        log(job.name, run, &outcome, took);
        if outcome == Outcome::Lost {
            return;
        }
        for attempt in 1..=ATTEMPTS {
            match self.end(job, run, &outcome).await {
                Ok(()) => return,
                Err(error) if attempt == ATTEMPTS => tracing::warn!(
                    job = job.name,
                    run,
                    error = chain(&error),
                    "the end of job {} could not be written down: it runs again when its lease has ended",
                    job.name
                ),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    async fn end(&self, job: &Job, run: i64, outcome: &Outcome) -> pds_store::Result<()> {
        let Setup { db, clock, .. } = &self.0.setup;
        let (now, rows) = (clock.now_us(), job::all(db).await?);
        let failures = rows.iter().find(|row| row.name == job.name).map_or(0, |row| row.failures);
        let (failures, due) = match outcome {
            Outcome::Succeeded => (0, now + jittered(job.every)),
            Outcome::Failed(_) => (failures.saturating_add(1), now + jittered(pause_after(failures, job.every))),
            // Another replica continues at once.
            Outcome::Interrupted | Outcome::Lost => (failures, now),
        };
        let error = match outcome {
            Outcome::Failed(error) => Some(error.as_str()),
            _ => None,
        };
        let has_succeeded = *outcome == Outcome::Succeeded;
        let end = job::End { at: now, outcome: outcome.name(), has_succeeded, error, failures, due };
        job::end(db, job.name, run, &end).await?;
        Ok(())
    }

    /// Runs a job of every replica again and again.
    async fn repeat(self, at: usize) {
        let (job, shutdown) = (&self.0.jobs[at], &self.0.setup.shutdown);
        let mut failures = 0_u32;
        loop {
            let succeeded = tokio::select! {
                () = shutdown.cancelled() => return,
                succeeded = self.run_here(at) => succeeded,
            };
            failures = if succeeded { 0 } else { failures.saturating_add(1) };
            let pause = job.every.saturating_mul(1 << failures.min(4)).min(job.every.max(RETRY));
            let woken = async {
                match &job.woken {
                    Some(woken) => woken().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = woken => {}
                () = sleep(pause.mul_f64(jitter())) => {}
            }
        }
    }

    /// Runs a job of every replica once. Returns whether it has succeeded.
    async fn run_here(&self, at: usize) -> bool {
        let (job, Setup { clock, metrics, .. }) = (&self.0.jobs[at], &self.0.setup);
        let _turn = job.turn.lock().await;
        let began = Instant::now();
        let outcome = match tokio::spawn((job.work)(clock.now_us())).await {
            Ok(Ok(())) => Outcome::Succeeded,
            Ok(Err(error)) => Outcome::Failed(chain(error.as_ref())),
            Err(_) => Outcome::Failed("it has panicked".to_owned()),
        };
        let has_succeeded = outcome == Outcome::Succeeded;
        metrics.job_ran(job.name, outcome.name(), began.elapsed(), has_succeeded.then(|| clock.now_s()));
        if let Outcome::Failed(error) = outcome {
            tracing::warn!(job = job.name, error, "job {} failed", job.name);
        }
        has_succeeded
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jobs({} on {})", self.0.jobs.len(), self.0.holder)
    }
}

fn log(job: &'static str, run: i64, outcome: &Outcome, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let result = outcome.name();
    match outcome {
        Outcome::Succeeded => tracing::info!(job, run, result, duration_ms, "job {job} succeeded"),
        Outcome::Failed(error) => tracing::warn!(job, run, result, duration_ms, error, "job {job} failed"),
        Outcome::Interrupted => {
            tracing::info!(job, run, result, duration_ms, "job {job} was stopped, because this server stops");
        }
        Outcome::Lost => tracing::warn!(
            job,
            run,
            result,
            duration_ms,
            "job {job} was stopped, because its lease could not be renewed: another replica runs it"
        ),
    }
}

/// The longest pause, in intervals.
const LONGEST: f64 = 1.25;

/// From three quarters to [`LONGEST`].
fn jitter() -> f64 {
    0.75 + (LONGEST - 0.75) * rand::random::<f64>()
}

/// About `pause`, in microseconds.
fn jittered(pause: Duration) -> i64 {
    micros(pause.mul_f64(jitter()))
}

/// The pause after a failure that followed `before` others.
fn pause_after(before: u32, every: Duration) -> Duration {
    RETRY.saturating_mul(1 << before.min(20)).min(every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_a_failure_grows_up_to_the_interval() {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        let pauses = [0, 1, 2, 6, 7, u32::MAX].map(|before| pause_after(before, hour).as_secs());
        assert_eq!(pauses, [30, 60, 120, 1920, 3600, 3600]);
        assert_eq!(pause_after(0, second), second);
        assert!((0..1000).map(|_| jitter()).all(|jitter| (0.75..LONGEST).contains(&jitter)));
    }
}
