//! What an account has, counted by the writes, and its quota (AL-REP-5).

use pds_store::{
    commit::{CommitError, NewCommit, OverQuota, RecordWrite, Staging, commit_batch},
    repo,
    usage::{self, Usage},
};

use crate::harness::{Alice, Store, T0, on_both, put};

on_both!(
    writes_count_the_bytes_of_records,
    what_grows_beyond_the_quota_is_refused_and_nothing_else,
    of_a_batch_those_beyond_their_quotas_are_named,
    a_head_that_moved_without_a_count_is_counted_when_it_has_to_be,
    an_import_is_counted_and_held_to_the_quota,
    another_key_keeps_the_count,
);

fn create(path: &str, bytes: usize) -> RecordWrite {
    RecordWrite::Create(put(path, &"x".repeat(bytes)))
}

fn update(path: &str, bytes: usize) -> RecordWrite {
    RecordWrite::Update(put(path, &"y".repeat(bytes)))
}

fn delete(path: &str) -> RecordWrite {
    RecordWrite::Delete { path: path.parse().unwrap() }
}

/// With a blob, so that the commit takes another way.
fn with_blob(path: &str, bytes: usize) -> RecordWrite {
    let mut put = put(path, &"z".repeat(bytes));
    put.blobs = vec![pds_repo::Cid::raw(b"cat")];
    RecordWrite::Create(put)
}

async fn upload(store: &Store, alice: &Alice, size: u64) {
    let upload = pds_store::blob::Upload {
        account_id: alice.id,
        cid: pds_repo::Cid::raw(b"cat"),
        mime: "image/png",
        size,
        storage_key: "key",
        at: T0,
        quota: None,
    };
    let mut tx = store.begin().await;
    pds_store::blob::record(&mut tx, &upload).await.unwrap();
    tx.commit().await.unwrap();
}

async fn records(store: &Store, alice: &Alice) -> Option<u64> {
    usage::get(&store.db, alice.id).await.unwrap().records
}

fn within(alice: &Alice, quota: u64, writes: Vec<RecordWrite>) -> NewCommit {
    NewCommit { quota: Some(quota), ..alice.prepare(writes) }
}

/// Commits with a quota; whether it was stored, or what the account has.
async fn try_within(store: &Store, alice: &mut Alice, quota: u64, writes: Vec<RecordWrite>) -> Result<(), OverQuota> {
    let commit = within(alice, quota, writes);
    let rev = commit.rev;
    match commit_batch(&store.db, &[commit], T0).await {
        Ok(_) => {
            alice.rev = rev;
            Ok(())
        }
        Err(CommitError::OverQuota { accounts }) => Err(accounts[0]),
        Err(error) => panic!("{error}"),
    }
}

async fn writes_count_the_bytes_of_records(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    assert_eq!(usage::get(&store.db, alice.id).await.unwrap(), Usage { records: Some(0), blobs: 0 });
    alice.write(&store.db, vec![create("a.b.post/1", 100), create("a.b.post/2", 50)]).await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(150));
    alice.write(&store.db, vec![update("a.b.post/1", 70), create("a.b.post/3", 5)]).await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(125));
    alice.write(&store.db, vec![delete("a.b.post/2")]).await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(75));
    upload(&store, &alice, 1_000).await;
    alice.write(&store.db, vec![with_blob("a.b.post/4", 25)]).await.unwrap();
    assert_eq!(usage::get(&store.db, alice.id).await.unwrap(), Usage { records: Some(100), blobs: 1_000 });

    // Two of one account in a batch with another account.
    let bob = Alice::create(&store.db, "bob").await;
    let first = alice.prepare(vec![create("a.b.post/5", 10)]);
    alice.rev = first.rev;
    let second = alice.prepare(vec![update("a.b.post/5", 30), delete("a.b.post/4")]);
    alice.rev = second.rev;
    commit_batch(&store.db, &[first, bob.prepare(vec![create("a.b.post/1", 7)]), second], T0).await.unwrap();
    assert_eq!((records(&store, &alice).await, records(&store, &bob).await), (Some(105), Some(7)));
    assert_eq!(usage::counted(&store.db, alice.id).await.unwrap().records, Some(105));
}

async fn what_grows_beyond_the_quota_is_refused_and_nothing_else(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, &alice, 40).await;
    let over = |used, quota| OverQuota { account_id: alice.id, used, quota };
    let (of_forty, of_hundred) = (over(40, 100), over(100, 100));
    assert_eq!(try_within(&store, &mut alice, 100, vec![create("a.b.post/1", 61)]).await, Err(of_forty));
    assert_eq!(try_within(&store, &mut alice, 100, vec![with_blob("a.b.post/1", 61)]).await, Err(of_forty));
    assert_eq!(repo::rev(&store.db, alice.id).await.unwrap(), Some(alice.rev), "nothing was written");
    try_within(&store, &mut alice, 100, vec![create("a.b.post/1", 60)]).await.unwrap();
    assert_eq!(try_within(&store, &mut alice, 100, vec![create("a.b.post/2", 1)]).await, Err(of_hundred));
    assert_eq!(try_within(&store, &mut alice, 100, vec![update("a.b.post/1", 61)]).await, Err(of_hundred));
    // No larger, also when the quota has shrunk since.
    try_within(&store, &mut alice, 10, vec![update("a.b.post/1", 60)]).await.unwrap();
    try_within(&store, &mut alice, 10, vec![update("a.b.post/1", 50), create("a.b.post/2", 10)]).await.unwrap();
    try_within(&store, &mut alice, 10, vec![delete("a.b.post/2")]).await.unwrap();
    try_within(&store, &mut alice, 100, vec![create("a.b.post/3", 10)]).await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(60));
}

async fn of_a_batch_those_beyond_their_quotas_are_named(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let (bob, carol) = (Alice::create(&store.db, "bob").await, Alice::create(&store.db, "carol").await);
    let batch = [
        within(&alice, 100, vec![create("a.b.post/1", 100)]),
        within(&bob, 50, vec![create("a.b.post/1", 51)]),
        carol.prepare(vec![create("a.b.post/1", 1_000)]),
    ];
    let error = commit_batch(&store.db, &batch, T0).await.unwrap_err();
    let CommitError::OverQuota { accounts } = error else { panic!("{error}") };
    assert_eq!(accounts, [OverQuota { account_id: bob.id, used: 0, quota: 50 }]);
    assert_eq!(repo::rev(&store.db, alice.id).await.unwrap(), Some(alice.rev), "all of it, or nothing");
    let [first, _, third] = batch;
    commit_batch(&store.db, &[first, third], T0).await.unwrap();
    assert_eq!((records(&store, &alice).await, records(&store, &carol).await), (Some(100), Some(1_000)));
}

async fn a_head_that_moved_without_a_count_is_counted_when_it_has_to_be(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, vec![create("a.b.post/1", 80)]).await.unwrap();
    // As the previous release moves a head.
    store.sql("update repo set rev = '3zzzzzzzzzz22'").await;
    alice.rev = "3zzzzzzzzzz22".parse().unwrap();
    assert_eq!(records(&store, &alice).await, None);
    let error = commit_batch(&store.db, &[within(&alice, 100, vec![create("a.b.post/2", 30)])], T0).await.unwrap_err();
    assert!(matches!(&error, CommitError::Uncounted { accounts } if *accounts == [alice.id]), "{error}");
    // Without a quota nobody needs it, and what does not grow needs no count.
    alice.write(&store.db, vec![create("a.b.post/2", 5)]).await.unwrap();
    try_within(&store, &mut alice, 10, vec![delete("a.b.post/2")]).await.unwrap();
    assert_eq!(records(&store, &alice).await, None);

    assert_eq!(usage::counted(&store.db, alice.id).await.unwrap().records, Some(80));
    let of_eighty = OverQuota { account_id: alice.id, used: 80, quota: 100 };
    assert_eq!(try_within(&store, &mut alice, 100, vec![create("a.b.post/2", 21)]).await, Err(of_eighty));
    try_within(&store, &mut alice, 100, vec![create("a.b.post/2", 20)]).await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(100));
}

async fn an_import_is_counted_and_held_to_the_quota(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, vec![create("a.b.post/1", 80)]).await.unwrap();
    let commit = alice.prepare(Vec::new());
    let mut staging = Staging::begin(&store.db, alice.id, "token", T0, T0 + 1_000_000).await.unwrap();
    staging.write(&commit, vec![create("a.b.post/2", 20)], T0).await.unwrap();
    assert_eq!(usage::counted(&store.db, alice.id).await.unwrap().records, Some(80), "what is staged is not there yet");
    // A blob that came after the first look at the quota counts.
    upload(&store, &alice, 30).await;
    let within = |quota| NewCommit { quota: Some(quota), ..commit.clone() };
    let refused = staging.swap(within(129), 100, T0).await.err().unwrap();
    let over = OverQuota { account_id: alice.id, used: 130, quota: 129 };
    assert!(matches!(&refused, CommitError::OverQuota { accounts } if *accounts == [over]), "{refused}");
    alice.rev = commit.rev;
    staging.swap(within(130), 100, T0).await.unwrap().finish().await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(100));
}

async fn another_key_keeps_the_count(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, vec![create("a.b.post/1", 80)]).await.unwrap();
    let head = repo::root(&store.db, alice.id).await.unwrap().unwrap().head;
    let next = pds_repo::Head { rev: alice.prepare(Vec::new()).rev, ..head };
    let mut tx = store.begin().await;
    assert!(repo::resign(&mut tx, alice.id, alice.rev, &next, b"signed anew").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(records(&store, &alice).await, Some(80));
}
