//! Readers are woken by commits, of their own process and of others.

use std::time::Duration;

use pds_store::{
    Db, Dialect,
    commit::Write,
    event::{self, Wakeups},
};
use tokio::time::timeout;

use crate::harness::{Alice, Store, T0, frame, on_both, put, run};

on_both!(own_commits_wake, a_rollback_does_not_wake_on_its_own);

const SOON: Duration = Duration::from_secs(5);

async fn append(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    event::append(&mut tx, &[frame("event")], T0).await.unwrap();
    tx.commit().await.unwrap();
}

/// Waits until no wake-up has come for a while: listening begins with one, and notifications echo.
async fn quiet(wakeups: &mut Wakeups) {
    while timeout(Duration::from_millis(300), wakeups.changed()).await.is_ok() {}
}

async fn own_commits_wake(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let mut wakeups = Wakeups::start(&store.db);
    quiet(&mut wakeups).await;

    append(&store.db).await;
    timeout(SOON, wakeups.changed()).await.unwrap();
    quiet(&mut wakeups).await;
    alice.write(&store.db, vec![Write::Create(put("a.b.post/1", "1"))]).await.unwrap();
    timeout(SOON, wakeups.changed()).await.unwrap();
}

async fn a_rollback_does_not_wake_on_its_own(store: Store) {
    let mut wakeups = Wakeups::start(&store.db);
    quiet(&mut wakeups).await;

    let mut tx = store.begin().await;
    event::append(&mut tx, &[frame("event")], T0).await.unwrap();
    tx.rollback().await.unwrap();

    assert!(timeout(Duration::from_millis(100), wakeups.changed()).await.is_err());
}

/// And again after the listening connection was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_another_replica_wake() {
    run(Dialect::Postgres, |store: Store| async move {
        let other = store.replica().await;
        let mut wakeups = Wakeups::start(&store.db);
        // The other replica passes its commits on only while it listens itself.
        let _others = Wakeups::start(&other);
        quiet(&mut wakeups).await;
        append(&other).await;
        timeout(SOON, wakeups.changed()).await.unwrap();

        quiet(&mut wakeups).await;
        store
            .sql("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and datname = current_database()")
            .await;
        timeout(SOON, wakeups.changed()).await.unwrap();
        quiet(&mut wakeups).await;

        append(&other).await;
        timeout(SOON, wakeups.changed()).await.unwrap();
    })
    .await;
}
