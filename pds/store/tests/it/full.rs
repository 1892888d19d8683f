//! A volume without room, as Postgres says it. For SQLite see `src/full.rs`.

use pds_store::{
    Dialect,
    commit::{CommitError, RecordWrite, Staging},
    owner,
};

use crate::harness::{Alice, T0, put, run};

/// F64
#[tokio::test]
async fn a_full_volume_is_known_until_a_write_succeeds() {
    run(Dialect::Postgres, |store| async move {
        let mut alice = Alice::create(&store.db, "alice").await;
        let write = || vec![RecordWrite::Create(put("com.example.thing/one", "one"))];
        store
            .sql(
                "create function full_volume() returns trigger language plpgsql as $$ \
                 begin raise exception 'could not extend file' using errcode = '53100'; end $$; \
                 create trigger full_volume before insert on owner execute function full_volume(); \
                 create trigger full_volume before insert on record execute function full_volume()",
            )
            .await;
        assert!(!store.db.is_full());
        assert!(owner::record(&store.db, "ours").await.unwrap_err().is_unavailable());
        assert!(store.db.is_full());
        // A write that needs no room in that table.
        store.db.begin().await.unwrap().commit().await.unwrap();
        assert!(!store.db.is_full());

        assert!(matches!(alice.write(&store.db, write()).await, Err(CommitError::Store(_))));
        assert!(store.db.is_full());
        alice.write(&store.db, Vec::new()).await.unwrap();
        assert!(!store.db.is_full());

        let mut staging = Staging::begin(&store.db, alice.id, "import", T0, T0 + 1).await.unwrap();
        assert!(!store.db.is_full());
        let staged = staging.write(&alice.prepare(Vec::new()), write(), T0).await;
        assert!(staged.is_err() && store.db.is_full());
        staging.undo().await.unwrap();
        store.sql("drop trigger full_volume on record").await;
        alice.write(&store.db, write()).await.unwrap();
        assert!(!store.db.is_full());
    })
    .await;
}
