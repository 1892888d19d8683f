//! Leases of background jobs: AL-JOB-0.

use pds_store::{
    Db,
    job::{End, Entry, Job, all, end, enter, renew, take},
};

use crate::harness::{Store, T0, on_both};

on_both!(
    one_replica_takes_a_job_that_is_due,
    a_run_without_an_end_is_followed_by_another,
    an_end_is_kept_and_sets_the_next_run,
    a_job_is_entered_once_and_brought_forward
);

const NAME: &str = "session_cleanup";
const SECOND: i64 = 1_000_000;
const SUCCESS: End<'_> =
    End { at: T0 + 5, outcome: "success", has_succeeded: true, error: None, failures: 0, due: T0 + SECOND };

async fn entered(db: &Db, first: i64) {
    enter(db, &[Entry { name: NAME, first, latest: first }]).await.unwrap();
}

async fn the_job(db: &Db) -> Job {
    all(db).await.unwrap().remove(0)
}

async fn one_replica_takes_a_job_that_is_due(store: Store) {
    let other = store.another().await;
    entered(&store.db, T0).await;
    assert_eq!(take(&other, NAME, "b", T0 - 1, T0 + SECOND, T0 - 1).await.unwrap(), None, "not due");

    let until = T0 + SECOND;
    let (here, there) = tokio::join!(take(&store.db, NAME, "a", T0, until, T0), take(&other, NAME, "b", T0, until, T0));
    let (here, there) = (here.unwrap(), there.unwrap());

    assert!(here.is_some() != there.is_some() && here.or(there) == Some(1), "{here:?} {there:?}");
    let job = the_job(&store.db).await;
    assert_eq!(job.holder.as_deref(), Some(if here.is_some() { "a" } else { "b" }));
    assert!(job.is_running(T0 + 1) && !job.is_running(until) && job.is_abandoned(until));
    // Not even for somebody who does not want to wait until it is due.
    assert_eq!(take(&other, NAME, "b", T0 + 1, until, i64::MAX).await.unwrap(), None);
    assert_eq!(take(&other, "nothing", "b", T0, until, i64::MAX).await.unwrap(), None);
}

async fn a_run_without_an_end_is_followed_by_another(store: Store) {
    entered(&store.db, T0).await;
    let other = store.another().await;
    assert_eq!(take(&store.db, NAME, "a", T0, T0 + 10, i64::MAX).await.unwrap(), Some(1));
    assert!(renew(&store.db, NAME, 1, T0 + 20).await.unwrap());
    assert_eq!(take(&other, NAME, "b", T0 + 15, T0 + 40, T0 + 15).await.unwrap(), None);

    assert_eq!(take(&other, NAME, "b", T0 + 20, T0 + 40, T0 + 20).await.unwrap(), Some(2));

    assert!(!renew(&store.db, NAME, 1, T0 + 100).await.unwrap());
    assert!(!end(&store.db, NAME, 1, &SUCCESS).await.unwrap());
    let job = the_job(&store.db).await;
    assert_eq!((job.holder.as_deref(), job.lease_until, job.outcome), (Some("b"), Some(T0 + 40), None));
    assert!(end(&other, NAME, 2, &SUCCESS).await.unwrap());
    assert!(!renew(&other, NAME, 2, T0 + 100).await.unwrap(), "it has ended");
}

async fn an_end_is_kept_and_sets_the_next_run(store: Store) {
    entered(&store.db, T0).await;
    take(&store.db, NAME, "a", T0, T0 + 10, T0).await.unwrap();
    assert!(end(&store.db, NAME, 1, &SUCCESS).await.unwrap());
    let job = the_job(&store.db).await;
    assert_eq!((job.started_at, job.ended_at, job.succeeded_at), (Some(T0), Some(T0 + 5), Some(T0 + 5)));
    assert_eq!((job.due, job.lease_until, job.failures), (T0 + SECOND, None, 0));

    let at = T0 + SECOND;
    take(&store.db, NAME, "a", at, at + 10, at).await.unwrap();
    let failure =
        End { at: at + 5, outcome: "failure", has_succeeded: false, error: Some("why"), failures: 1, due: at + 30 };
    assert!(end(&store.db, NAME, 2, &failure).await.unwrap());
    let job = the_job(&store.db).await;
    assert_eq!((job.outcome.as_deref(), job.error.as_deref(), job.failures), (Some("failure"), Some("why"), 1));
    assert_eq!((job.succeeded_at, job.due), (Some(T0 + 5), at + 30), "the last success stays known");
}

async fn a_job_is_entered_once_and_brought_forward(store: Store) {
    entered(&store.db, T0 + 100).await;
    enter(&store.db, &[Entry { name: NAME, first: T0, latest: T0 + 200 }]).await.unwrap();
    assert_eq!(the_job(&store.db).await.due, T0 + 100);
    enter(&store.db, &[Entry { name: NAME, first: T0, latest: T0 + 50 }]).await.unwrap();
    assert_eq!(the_job(&store.db).await.due, T0 + 50);
}
