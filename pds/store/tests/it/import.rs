//! A whole repository under one head: all of it, or nothing.

use pds_repo::Cid;
use pds_store::{
    blob::{self, Missing, State, Upload},
    commit::{CommitError, Import, Put, Write},
    event, repo,
};

use crate::harness::{Alice, Store, T0, label, on_both, put};

on_both!(
    an_import_replaces_what_was_there,
    nothing_is_left_of_an_import_that_fails,
    a_stale_import_writes_nothing,
    blobs_may_come_after_their_records,
);

fn path(n: usize) -> String {
    format!("a.b.post/{n:05}")
}

fn create(n: usize) -> Write {
    Write::Create(put(&path(n), &path(n)))
}

/// Revision, number of records as counted and as there are, events.
async fn state(store: &Store, alice: &Alice) -> (String, u64, usize, Vec<String>) {
    let root = repo::root(&store.db, alice.id).await.unwrap().unwrap();
    let entries = store.db.snapshot().await.unwrap().entries(alice.id).await.unwrap();
    let batches = event::after(&store.db, 0, usize::MAX).await.unwrap().batches;
    let events = batches.iter().flat_map(|batch| batch.frames().unwrap()).map(|(_, frame)| label(&frame)).collect();
    (root.head.rev.to_string(), root.record_count, entries.len(), events)
}

async fn an_import_replaces_what_was_there(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, (0..100).map(create).collect()).await.unwrap();
    let prepared = alice.prepare(vec![Write::Update(put(&path(0), "new"))]);
    let (rev, frame) = (prepared.rev, label(&prepared.frame));

    let mut import = Import::begin(&store.db, prepared, T0).await.unwrap();
    import.write((1..41).map(|n| Write::Delete { path: path(n).parse().unwrap() }).collect()).await.unwrap();
    import.write((100..613).map(create).collect()).await.unwrap();
    import.write(Vec::new()).await.unwrap();
    import.finish(true).await.unwrap();

    let (now, count, entries, events) = state(&store, &alice).await;
    assert_eq!((now, count, entries), (rev.to_string(), 573, 573));
    assert_eq!((events.len(), &events[2]), (3, &frame));
    for (n, of) in [(0, rev), (50, alice.rev), (612, rev)] {
        assert_eq!(store.rev(alice.id, &path(n)).await, of, "{n}");
    }

    // Of an account that is moving in the world is not told.
    alice.rev = rev;
    Import::begin(&store.db, alice.prepare(vec![create(613)]), T0).await.unwrap().finish(false).await.unwrap();
    let (_, count, _, events) = state(&store, &alice).await;
    assert_eq!((count, events.len()), (574, 3));
}

async fn nothing_is_left_of_an_import_that_fails(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, (0..10).map(create).collect()).await.unwrap();
    let before = state(&store, &alice).await;
    store.sql("create unique index one_body on record (repo_id, body)").await;

    let mut import = Import::begin(&store.db, alice.prepare(vec![create(20)]), T0).await.unwrap();
    import.write((30..300).map(create).collect()).await.unwrap();
    import.write(vec![Write::Create(put("a.b.post/twin", &path(20)))]).await.unwrap_err();
    drop(import);
    assert_eq!(state(&store, &alice).await, before);

    let import = Import::begin(&store.db, alice.prepare((30..300).map(create).collect()), T0).await.unwrap();
    drop(import);
    assert_eq!(state(&store, &alice).await, before, "given up");
    alice.write(&store.db, vec![create(20)]).await.unwrap();
}

async fn a_stale_import_writes_nothing(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let behind = alice.prepare(vec![create(1)]);
    alice.write(&store.db, vec![create(0)]).await.unwrap();
    let before = state(&store, &alice).await;

    let error = Import::begin(&store.db, behind, T0).await.err().unwrap();

    assert!(matches!(&error, CommitError::Stale { accounts } if accounts[..] == [alice.id]), "{error:?}");
    assert_eq!(state(&store, &alice).await, before);
}

fn raw(text: &str) -> Cid {
    Cid::raw(text.as_bytes())
}

async fn upload(store: &Store, alice: &Alice, text: &str) -> State {
    let (mut tx, cid) = (store.begin().await, raw(text));
    let upload =
        Upload { account_id: alice.id, cid, mime: "image/png", size: 4, storage_key: text, at: T0, quota: None };
    blob::record(&mut tx, &upload).await.unwrap();
    tx.commit().await.unwrap();
    blob::get(&store.db, alice.id, &cid).await.unwrap().unwrap().state
}

async fn blobs_may_come_after_their_records(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let picture =
        |path: &str, blobs: &[&str]| Put { blobs: blobs.iter().map(|text| raw(text)).collect(), ..put(path, path) };
    for text in ["kept", "old", "waiting"] {
        upload(&store, &alice, text).await;
    }
    alice.write(&store.db, vec![Write::Create(picture("a.b.post/1", &["kept", "old"]))]).await.unwrap();

    let mut import = Import::begin(&store.db, alice.prepare(Vec::new()), T0).await.unwrap();
    let second = picture("a.b.post/2", &["waiting", "new", "newer"]);
    import.write(vec![Write::Update(picture("a.b.post/1", &["kept"])), Write::Create(second)]).await.unwrap();
    import.write(vec![Write::Create(picture("a.b.post/3", &["new"]))]).await.unwrap();
    import.finish(true).await.unwrap();

    for (text, wanted) in [("kept", State::Permanent), ("old", State::Temporary), ("waiting", State::Permanent)] {
        assert_eq!(blob::get(&store.db, alice.id, &raw(text)).await.unwrap().unwrap().state, wanted, "{text}");
    }
    let mut wanted = vec![raw("new"), raw("newer")];
    wanted.sort_by_key(Cid::to_bytes);
    let missing = blob::missing(&store.db, alice.id, None, 10).await.unwrap();
    assert_eq!(missing.iter().map(|one| one.cid).collect::<Vec<_>>(), wanted);
    assert!(missing.iter().all(|one| one.path.as_str() == "a.b.post/2"), "the first that refers to it");
    let page = blob::missing(&store.db, alice.id, Some(&wanted[0]), 1).await.unwrap();
    assert_eq!(page, [Missing { cid: wanted[1], path: "a.b.post/2".parse().unwrap() }]);

    assert_eq!(upload(&store, &alice, "new").await, State::Permanent);
    assert_eq!(upload(&store, &alice, "never").await, State::Temporary);
    assert_eq!(blob::missing(&store.db, alice.id, None, 10).await.unwrap().len(), 1);

    // An upload that came while an import was under way.
    store.sql("update blob set state = 0 where storage_key in ('new', 'never')").await;
    blob::adopt(&store.db, alice.id).await.unwrap();
    for (text, wanted) in [("new", State::Permanent), ("never", State::Temporary)] {
        assert_eq!(blob::get(&store.db, alice.id, &raw(text)).await.unwrap().unwrap().state, wanted, "{text}");
    }
}
