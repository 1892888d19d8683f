//! The import of another server's data: when one may begin, what it removes, and events that keep their numbers.

use pds_store::{
    account::{self, NewAccount},
    adoption,
    blob::{self, Upload},
    event::{self, Numbered},
    repo,
};

use crate::harness::{Alice, Store, T0, cid, did, frame, handle, label, on_both};

on_both!(
    an_import_begins_once_and_only_where_nothing_is,
    events_keep_their_numbers_and_gaps,
    only_reserved_accounts_are_removed,
);

async fn an_import_begins_once_and_only_where_nothing_is(store: Store) {
    assert!(adoption::is_possible(&store.db).await.unwrap());
    assert_eq!(adoption::get(&store.db).await.unwrap(), None);
    for (source, begun) in [("one", true), ("two", false)] {
        let mut tx = store.begin().await;
        assert_eq!(adoption::begin(&mut tx, source, T0).await.unwrap(), begun);
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin().await;
    adoption::finish(&mut tx, T0 + 1).await.unwrap();
    adoption::finish(&mut tx, T0 + 2).await.unwrap();
    tx.commit().await.unwrap();
    let found = adoption::get(&store.db).await.unwrap().unwrap();
    assert_eq!((&*found.source, found.started_at, found.finished_at), ("one", T0, Some(T0 + 1)));
    Alice::create(&store.db, "alice").await;
    assert!(!adoption::is_possible(&store.db).await.unwrap());
}

async fn events_keep_their_numbers_and_gaps(store: Store) {
    let numbered = |seq: i64| Numbered { seq, at: T0 + seq, frame: frame(&seq.to_string()) };
    for part in [&[100, 101, 103][..], &[104, 110]] {
        let mut tx = store.begin().await;
        event::adopt(&mut tx, &part.iter().map(|seq| numbered(*seq)).collect::<Vec<_>>()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin().await;
    event::continue_behind(&mut tx, 120).await.unwrap();
    event::continue_behind(&mut tx, 7).await.unwrap();
    assert_eq!(event::append(&mut tx, &[frame("new")], T0).await.unwrap(), 121);
    tx.commit().await.unwrap();
    let after = async |cursor: i64| {
        let batches = event::after(&store.db, cursor, usize::MAX).await.unwrap().batches;
        let frames = batches.iter().flat_map(|batch| batch.frames().unwrap());
        frames.filter(|(seq, _)| *seq > cursor).map(|(seq, frame)| (seq, label(&frame))).collect::<Vec<_>>()
    };
    let all: Vec<_> = [100, 101, 103, 104, 110]
        .map(|seq: i64| (seq, seq.to_string()))
        .into_iter()
        .chain([(121, "new".to_owned())])
        .collect();
    assert_eq!(after(0).await, all);
    // Numbers in a gap, and those of deleted events.
    for (cursor, left) in [(99, 6), (100, 5), (101, 4), (102, 4), (105, 2), (110, 1), (115, 1), (121, 0)] {
        assert_eq!(after(cursor).await, all[all.len() - left..], "after {cursor}");
    }
    assert_eq!(event::at(&store.db, T0 + 102).await.unwrap(), Some(103));
}

async fn only_reserved_accounts_are_removed(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let new = NewAccount {
        did: did("bob"),
        handle: handle("bob"),
        email: None,
        password_hash: None,
        signing_key: vec![1],
        created_at: T0,
    };
    let mut tx = store.begin().await;
    let bob = account::reserve(&mut tx, &new).await.unwrap();
    let head = repo::root(&mut tx, alice.id).await.unwrap().unwrap();
    repo::create(&mut tx, bob, &head.head, &head.commit_bytes).await.unwrap();
    let cid = cid("a blob");
    let upload = Upload { account_id: bob, cid, mime: "a/b", size: 1, storage_key: "an-object", at: T0, quota: None };
    blob::record(&mut tx, &upload).await.unwrap();
    tx.commit().await.unwrap();
    for id in [alice.id, bob] {
        adoption::remove_reserved(&store.db, id, T0).await.unwrap();
    }
    assert!(account::by_id(&store.db, alice.id).await.unwrap().is_some());
    assert_eq!(account::by_id(&store.db, bob).await.unwrap(), None);
    assert_eq!(account::leftovers(&store.db, bob, &did("bob")).await.unwrap(), Vec::<String>::new());
    assert_eq!(blob::discarded(&store.db, T0, "", 10).await.unwrap(), ["an-object"]);
}
