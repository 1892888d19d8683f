//! Records with many references to blobs: what holds others up is bounded by references, not by records alone.

use bytes::Bytes;
use pds_repo::Cid;
use pds_store::{
    Dialect,
    account::{self, Purge},
    blob::{self, State, Upload},
    commit::{Put, RecordWrite, Staging},
};

use crate::harness::{Alice, Store, T0, on_both, put};

on_both!(references_are_written_and_removed_in_sets, a_purge_removes_references_and_long_records_in_portions,);

fn path(n: usize) -> String {
    format!("a.b.post/{n:05}")
}

fn blobs(from: usize, to: usize) -> Vec<Cid> {
    (from..to).map(|n| Cid::raw(&n.to_be_bytes())).collect()
}

fn create(n: usize, blobs: Vec<Cid>) -> RecordWrite {
    RecordWrite::Create(Put { blobs, ..put(&path(n), &path(n)) })
}

async fn referred(store: &Store, alice: &Alice, paths: std::ops::Range<usize>) -> u64 {
    let paths: Vec<_> = paths.map(|n| path(n).parse().unwrap()).collect();
    blob::referred_by(&store.db, alice.id, &paths).await.unwrap()
}

/// SWAP-REFS, DEL-REFS, REFW, STAGE-REFS, UNDO-REFS
async fn references_are_written_and_removed_in_sets(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let mut tx = store.begin().await;
    let known = blobs(0, 3);
    for cid in &known {
        let key = cid.to_string();
        let upload =
            Upload { account_id: alice.id, cid: *cid, mime: "a/b", size: 1, storage_key: &key, at: T0, quota: None };
        blob::record(&mut tx, &upload).await.unwrap();
    }
    tx.commit().await.unwrap();
    // On Postgres more than a few statements fail.
    if store.db.dialect() == Dialect::Postgres {
        store
            .sql(
                "create table statement (n integer);
                 create function noted() returns trigger language plpgsql as $$ begin
                   insert into statement values (1);
                   if (select count(*) from statement) > 12 then raise exception 'a statement for each row'; end if;
                   return null;
                 end $$;
                 create trigger noted after insert or update or delete on record_blob for each statement execute function noted();",
            )
            .await;
    }
    let prepared = alice.prepare(Vec::new());
    let mut staging = Staging::begin(&store.db, alice.id, "import", T0, T0 + 60_000_000).await.unwrap();
    for n in 0..3 {
        staging.write(&prepared, vec![create(n, blobs(n, n + 1_000))], T0).await.unwrap();
    }
    assert_eq!(referred(&store, &alice, 0..3).await, 3_000);
    staging.undo().await.unwrap();
    assert_eq!(referred(&store, &alice, 0..3).await, 0);

    let prepared = alice.prepare(Vec::new());
    let mut staging = Staging::begin(&store.db, alice.id, "import", T0, T0 + 60_000_000).await.unwrap();
    let many = (0..3).map(|n| create(n, blobs(0, 500))).collect();
    staging.write(&prepared, many, T0).await.unwrap();
    let rev = prepared.rev;
    let mut swap = staging.swap(prepared, 0, T0).await.unwrap();
    swap.write(Vec::new()).await.unwrap();
    swap.finish().await.unwrap();
    alice.rev = rev;
    let state = async |cid: &Cid| blob::get(&store.db, alice.id, cid).await.unwrap().unwrap().state;
    assert_eq!(state(&known[0]).await, State::Permanent);
    assert_eq!([referred(&store, &alice, 0..3).await, referred(&store, &alice, 1..2).await], [1_500, 500]);
    let (rest, last) = ((0..2).map(|n| path(n).parse().unwrap()), path(2).parse().unwrap());
    alice.write(&store.db, rest.map(|path| RecordWrite::Delete { path }).collect()).await.unwrap();
    let state = async |cid: &Cid| blob::get(&store.db, alice.id, cid).await.unwrap().unwrap().state;
    assert_eq!(state(&known[0]).await, State::Permanent, "one record is left");
    alice.write(&store.db, vec![RecordWrite::Delete { path: last }]).await.unwrap();
    let state = async |cid: &Cid| blob::get(&store.db, alice.id, cid).await.unwrap().unwrap().state;
    assert_eq!(state(&known[0]).await, State::Temporary);
    assert_eq!(referred(&store, &alice, 0..3).await, 0);
}

async fn a_purge_removes_references_and_long_records_in_portions(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let prepared = alice.prepare(Vec::new());
    let mut staging = Staging::begin(&store.db, alice.id, "import", T0, T0 + 60_000_000).await.unwrap();
    for n in 0..5 {
        staging.write(&prepared, vec![create(n, blobs(0, 1_000))], T0).await.unwrap();
    }
    alice.rev = prepared.rev;
    staging.swap(prepared, 0, T0).await.unwrap().finish().await.unwrap();
    for n in 5..11 {
        let long = Put { body: Bytes::from(vec![0; 3 << 20]), ..put(&path(n), "long") };
        alice.write(&store.db, vec![RecordWrite::Create(long)]).await.unwrap();
    }
    let mut tx = store.begin().await;
    assert!(account::delete(&mut tx, alice.id, T0, T0).await.unwrap());
    tx.commit().await.unwrap();
    let mut left = vec![referred(&store, &alice, 0..5).await];
    loop {
        let mut tx = store.begin().await;
        let purged = account::purge_portion(&mut tx, alice.id, T0, 100).await.unwrap();
        tx.commit().await.unwrap();
        if purged == Purge::Empty {
            break;
        }
        left.push(referred(&store, &alice, 0..5).await);
    }
    // Of six long records two fit into a portion.
    assert_eq!(left, [5_000, 3_000, 1_000, 0]);
}
