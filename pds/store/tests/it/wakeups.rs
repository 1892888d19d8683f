//! Readers are woken by commits, of their own process and of others.

use std::time::Duration;

use pds_store::{
    Db, Dialect,
    commit::RecordWrite,
    event::{self, Teller, Wakeups},
};
use sqlx::{Connection, PgConnection, postgres::PgListener};
use tokio::time::{sleep, timeout};

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
    alice.write(&store.db, vec![RecordWrite::Create(put("a.b.post/1", "1"))]).await.unwrap();
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

/// Waits until so many processes listen.
async fn listeners(store: &Store, count: i64) {
    const SQL: &str = "select count(*) from pg_locks where locktype = 'advisory' \
                       and database = (select oid from pg_database where datname = current_database())";
    let mut connection = PgConnection::connect(&store.url).await.unwrap();
    let are = async {
        while sqlx::query_scalar::<_, i64>(SQL).fetch_one(&mut connection).await.unwrap() != count {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, are).await.unwrap();
}

/// And again after the listening connection was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_of_another_replica_wake() {
    run(Dialect::Postgres, |store: Store| async move {
        let other = store.replica().await;
        let mut wakeups = Wakeups::start(&store.db);
        let _teller = Teller::start(&other);
        quiet(&mut wakeups).await;
        append(&other).await;
        timeout(SOON, wakeups.changed()).await.unwrap();

        quiet(&mut wakeups).await;
        store
            .sql("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")
            .await;
        timeout(SOON, wakeups.changed()).await.unwrap();
        quiet(&mut wakeups).await;

        append(&other).await;
        timeout(SOON, wakeups.changed()).await.unwrap();
    })
    .await;
}

/// A notification is for other processes that listen: with none, or only the one that commits, there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_who_does_not_listen() {
    run(Dialect::Postgres, |store: Store| async move {
        let other = store.replica().await;
        let _teller = Teller::start(&store.db);
        let mut bystander = PgListener::connect(&store.url).await.unwrap();
        bystander.listen("pds_event").await.unwrap();
        let mut told = async || {
            append(&store.db).await;
            timeout(Duration::from_millis(300), bystander.recv()).await.is_ok()
        };

        let own = Wakeups::start(&store.db);
        listeners(&store, 1).await;
        assert!(!told().await);
        assert!(!told().await);

        // What is known of listeners may be a little old.
        let others = Wakeups::start(&other);
        listeners(&store, 2).await;
        timeout(SOON, async { while !told().await {} }).await.unwrap();

        drop((own, others));
        listeners(&store, 0).await;
        timeout(SOON, async { while told().await {} }).await.unwrap();
        assert!(!told().await);
    })
    .await;
}
