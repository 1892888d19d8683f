//! Migrations, and which programs fit a database.

use pds_store::{
    Db, Dialect,
    schema::{Fit, check, migrate},
};

use crate::harness::{Store, connect, on_both, run_empty};

on_both!(
    a_migrated_schema_is_current,
    migrating_again_changes_nothing,
    a_newer_compatible_schema_is_current,
    a_contracted_schema_is_too_new
);

async fn a_migrated_schema_is_current(store: Store) {
    assert_eq!(check(&store.db).await.unwrap(), Fit::Current);
}

async fn migrating_again_changes_nothing(store: Store) {
    migrate(&store.db).await.unwrap();

    assert_eq!(check(&store.db).await.unwrap(), Fit::Current);
}

async fn a_newer_compatible_schema_is_current(store: Store) {
    store.sql(FUTURE_MIGRATION).await;

    assert_eq!(check(&store.db).await.unwrap(), Fit::Current);
    migrate(&store.db).await.unwrap();
}

async fn a_contracted_schema_is_too_new(store: Store) {
    store.sql(FUTURE_MIGRATION).await;
    store.sql("update schema_compat set oldest_known = 9999").await;

    assert_eq!(check(&store.db).await.unwrap(), Fit::TooNew);
}

const FUTURE_MIGRATION: &str = "insert into _sqlx_migrations \
    (version, description, success, checksum, execution_time, installed_on) \
    values (9999, 'future', true, '', 0, current_timestamp)";

#[tokio::test]
async fn an_empty_sqlite_database_is_too_old() {
    empty_is_too_old(Dialect::Sqlite).await;
}

#[tokio::test]
async fn an_empty_postgres_database_is_too_old() {
    empty_is_too_old(Dialect::Postgres).await;
}

async fn empty_is_too_old(dialect: Dialect) {
    run_empty(dialect, async |url| {
        tokio::spawn(async move { assert_eq!(check(&connect(&url).await).await.unwrap(), Fit::TooOld) }).await
    })
    .await;
}

/// AL-STO-3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_migrate_sqlite_at_once_do_it_once() {
    migrate_at_once(Dialect::Sqlite).await;
}

/// AL-STO-3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_migrate_postgres_at_once_do_it_once() {
    migrate_at_once(Dialect::Postgres).await;
}

async fn migrate_at_once(dialect: Dialect) {
    run_empty(dialect, async |url| {
        let replicas: Vec<Db> = futures::future::join_all((0..4).map(|_| connect(&url))).await;
        let results = futures::future::join_all(replicas.iter().map(migrate)).await;
        tokio::spawn(async move {
            for result in results {
                result.unwrap();
            }
            assert_eq!(check(&replicas[0]).await.unwrap(), Fit::Current);
        })
        .await
    })
    .await;
}
