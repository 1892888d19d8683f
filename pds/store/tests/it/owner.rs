//! Whose data a database holds.

use pds_store::{Db, Dialect, migrate, owner, schema};

use crate::harness::{Store, connect, on_both, run_empty};

on_both!(the_first_fingerprint_stays, of_several_that_record_at_once_one_wins);

async fn the_first_fingerprint_stays(store: Store) {
    assert_eq!(owner::recorded(&store.db).await.unwrap(), None);
    assert_eq!(owner::record(&store.db, "ours").await.unwrap(), "ours");
    assert_eq!(owner::record(&store.db, "theirs").await.unwrap(), "ours");
    assert_eq!(owner::recorded(&store.another().await).await.unwrap().as_deref(), Some("ours"));
}

async fn of_several_that_record_at_once_one_wins(store: Store) {
    let names = ["a", "b", "c", "d"];
    let won = futures::future::join_all(names.map(|name| owner::record(&store.db, name))).await;
    let won: Vec<String> = won.into_iter().map(Result::unwrap).collect();
    assert!(won.iter().all(|one| *one == won[0]), "{won:?}");
}

#[tokio::test]
async fn a_database_without_a_schema_has_no_owner() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        run_empty(dialect, async |url| {
            tokio::spawn(async move {
                let db: Db = connect(&url).await;
                assert_eq!((owner::recorded(&db).await.unwrap(), schema::version(&db).await.unwrap()), (None, 0));
                migrate(&db).await.unwrap();
                assert_eq!(schema::version(&db).await.unwrap(), schema::newest());
            })
            .await
        })
        .await;
    }
}
