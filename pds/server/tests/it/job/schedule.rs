//! One scheduler over all replicas: AL-JOB-0.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use anyhow::bail;
use pds_server::job::{Job, Jobs, RunError, Setup, View};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{TestPds, send},
    on_both,
};

const HOUR: Duration = Duration::from_secs(3600);
const LEASE: Duration = Duration::from_secs(3);

/// The scheduler of a replica with jobs of its own.
fn scheduler(pds: &TestPds, shutdown: &CancellationToken, jobs: Vec<Job>) -> Jobs {
    let (app, shutdown) = (&pds.app, shutdown.clone());
    let (db, clock, metrics) = (app.db.clone(), app.clock.clone(), app.metrics.clone());
    Jobs::new(Setup { db, clock, metrics, shutdown, lease: LEASE }, jobs)
}

/// A job that ends when it is let, and what is known of its runs.
#[derive(Clone)]
struct Probe {
    begun: Arc<AtomicUsize>,
    stopped: Arc<AtomicUsize>,
    let_go: Arc<Semaphore>,
}

impl Probe {
    fn new() -> Self {
        Self { begun: Arc::default(), stopped: Arc::default(), let_go: Arc::new(Semaphore::new(0)) }
    }

    fn job(&self) -> Job {
        let probe = self.clone();
        Job::once("probe", HOUR, move |_| {
            let probe = probe.clone();
            async move {
                struct Stopped(Arc<AtomicUsize>);
                impl Drop for Stopped {
                    fn drop(&mut self) {
                        self.0.fetch_add(1, SeqCst);
                    }
                }
                let _stopped = Stopped(probe.stopped.clone());
                probe.begun.fetch_add(1, SeqCst);
                probe.let_go.acquire().await?.forget();
                Ok(())
            }
        })
    }

    fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }

    fn stopped(&self) -> usize {
        self.stopped.load(SeqCst)
    }
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited)
        .await
        .unwrap_or_else(|_| panic!("it does not happen: {what}"));
}

async fn view(jobs: &Jobs, name: &str) -> View {
    jobs.list().await.unwrap().into_iter().find(|job| job.name == name).unwrap()
}

on_both!(exactly_one_replica_runs_a_job_that_is_due, |pds| async move {
    let (other, shutdown, probe) = (pds.replica().await, CancellationToken::new(), Probe::new());
    for clock in [&pds.clock, &other.clock] {
        clock.freeze();
    }
    let here = scheduler(&pds, &shutdown, vec![probe.job()]);
    let there = scheduler(&other, &shutdown, vec![probe.job()]);
    here.enter().await.unwrap();
    there.enter().await.unwrap();
    assert_eq!((here.look().await.unwrap(), there.look().await.unwrap()), (0, 0), "not due yet");
    for clock in [&pds.clock, &other.clock] {
        clock.forward(Duration::from_secs(120));
    }

    let (a, b) = tokio::join!(here.look(), there.look());

    assert_eq!(a.unwrap() + b.unwrap(), 1);
    until("the run begins", async || probe.begun() == 1).await;
    let job = view(&there, "probe").await;
    let holder = job.holder.clone().unwrap();
    assert!(job.running && [here.holder(), there.holder()].contains(&&*holder), "{job:?}");
    // Longer than the lease, which is renewed meanwhile: nobody else takes it.
    for clock in [&pds.clock, &other.clock] {
        clock.forward(LEASE / 2);
    }
    tokio::time::sleep(LEASE / 3).await;
    for clock in [&pds.clock, &other.clock] {
        clock.forward(LEASE / 3 * 2);
    }
    assert_eq!(here.look().await.unwrap() + there.look().await.unwrap(), 0);
    for jobs in [&here, &there] {
        let refused = jobs.run("probe").await.unwrap_err();
        assert!(matches!(&refused, RunError::Running { holder: by, .. } if *by == holder), "{refused}");
    }

    probe.let_go.add_permits(1);
    until("the run ends", async || !view(&there, "probe").await.running).await;
    let job = view(&there, "probe").await;
    assert_eq!((job.outcome.as_deref(), job.run, job.failures, probe.begun()), (Some("success"), 1, 0, 1));
    assert_eq!(here.look().await.unwrap() + there.look().await.unwrap(), 0, "it is due in an hour");
});

on_both!(a_replica_that_lost_its_lease_stops_and_another_goes_on, |pds| async move {
    let (other, shutdown) = (pds.replica().await, CancellationToken::new());
    let (first, second) = (Probe::new(), Probe::new());
    let here = scheduler(&pds, &shutdown, vec![first.job()]);
    let there = scheduler(&other, &shutdown, vec![second.job()]);
    here.run("probe").await.unwrap();
    until("the first run begins", async || first.begun() == 1).await;
    // To the other replica the lease is over, as if this one had been cut off.
    other.clock.forward(LEASE * 10);

    assert_eq!(there.look().await.unwrap(), 1);

    until("the first run stops", async || first.stopped() == 1).await;
    until("the second run begins", async || second.begun() == 1).await;
    second.let_go.add_permits(1);
    until("the second run ends", async || view(&there, "probe").await.outcome.as_deref() == Some("success")).await;
    let job = view(&there, "probe").await;
    assert_eq!((job.run, job.holder.as_deref()), (2, Some(there.holder())));
    let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
    let metrics = metrics.as_str().unwrap().to_owned();
    assert!(metrics.contains(r#"aurora_job_runs_total{job="probe",result="lost"} 1"#), "{metrics}");
});

on_both!(a_job_that_fails_is_tried_again_and_stops_no_other, |pds| async move {
    let shutdown = CancellationToken::new();
    pds.clock.freeze();
    let jobs = scheduler(
        &pds,
        &shutdown,
        vec![
            Job::once("fails", HOUR, async |_| bail!("no luck")),
            Job::once("panics", HOUR, async |_| panic!("as a test wants it")),
            Job::once("works", HOUR, async |_| Ok(())),
        ],
    );
    jobs.enter().await.unwrap();
    let names = ["fails", "panics", "works"];
    let all_ended = async |runs: [i64; 3]| {
        let shown = jobs.list().await.unwrap();
        shown.iter().zip(runs).all(|(job, run)| job.run == run && !job.running)
    };
    pds.clock.forward(Duration::from_secs(120));
    assert_eq!(jobs.look().await.unwrap(), 3);
    until("they end", async || all_ended([1, 1, 1]).await).await;
    for (name, outcome, error) in [
        (names[0], "failure", Some("no luck")),
        (names[1], "failure", Some("it has panicked, see the log")),
        (names[2], "success", None),
    ] {
        let job = view(&jobs, name).await;
        assert_eq!((job.outcome.as_deref(), job.error.as_deref()), (Some(outcome), error), "{name}");
        assert_eq!(job.failures, u32::from(error.is_some()));
    }

    // Half a minute later, then a minute, and so on; the other one waits for its hour.
    pds.clock.forward(Duration::from_secs(20));
    assert_eq!(jobs.look().await.unwrap(), 0);
    pds.clock.forward(Duration::from_secs(20));
    assert_eq!(jobs.look().await.unwrap(), 2);
    until("they end", async || all_ended([2, 2, 1]).await).await;
    pds.clock.forward(Duration::from_secs(40));
    assert_eq!(jobs.look().await.unwrap(), 0);
    assert_eq!(view(&jobs, "fails").await.failures, 2);
    let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
    let metrics = metrics.as_str().unwrap().to_owned();
    for line in [
        r#"aurora_job_runs_total{job="fails",result="failure"} 2"#,
        r#"aurora_job_runs_total{job="works",result="success"} 1"#,
        r#"aurora_job_duration_seconds_count{job="works"} 1"#,
        r#"aurora_job_last_success_timestamp_seconds{job="works"} "#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains(r#"aurora_job_last_success_timestamp_seconds{job="fails"}"#), "{metrics}");
});

on_both!(a_replica_that_stops_gives_its_job_to_another_at_once, |pds| async move {
    let (other, stopping, staying) = (pds.replica().await, CancellationToken::new(), CancellationToken::new());
    let (first, second) = (Probe::new(), Probe::new());
    let here = scheduler(&pds, &stopping, vec![first.job()]);
    let there = scheduler(&other, &staying, vec![second.job()]);
    here.run("probe").await.unwrap();
    until("the first run begins", async || first.begun() == 1).await;

    stopping.cancel();

    until("the first run stops", async || view(&there, "probe").await.outcome.as_deref() == Some("interrupted")).await;
    assert_eq!(first.stopped(), 1);
    assert!(matches!(here.run("probe").await, Err(RunError::Stopping)));
    assert_eq!((here.look().await.unwrap(), there.look().await.unwrap()), (0, 1));
    until("the second run begins", async || second.begun() == 1).await;
    second.let_go.add_permits(1);
});
