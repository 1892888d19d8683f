//! A blob's life: temporary, permanent, temporary again, swept; or taken down.

use bytes::Bytes;
use pds_repo::Cid;
use pds_store::{
    AccountId, Db,
    blob::{self, Recorded, State, Upload},
    commit::{BlobRefusal, CommitError, Put, RecordWrite, RefusedBlob},
};

use crate::harness::{Alice, Store, T0, on_both, put};

on_both!(
    an_upload_is_temporary_until_a_record_refers_to_it,
    a_second_upload_is_a_twin,
    a_missing_blob_fails_the_commit_and_leaves_nothing,
    a_blob_of_another_account_is_missing,
    the_last_reference_keeps_a_blob,
    an_update_that_keeps_a_blob_keeps_it_permanent,
    only_old_temporary_blobs_are_swept,
    a_blob_used_meanwhile_survives_the_sweeper,
    a_blob_swept_meanwhile_is_missing,
    a_taken_down_blob_can_neither_be_used_nor_uploaded,
    a_takedown_is_remembered_with_its_reference,
    what_is_swept_stays_noted_until_its_object_is_gone,
    a_quota_counts_what_the_account_has,
    uploads_at_once_do_not_pass_the_quota_together,
    blobs_are_listed_in_pages_and_since_a_revision,
    a_lost_blob_is_missing_until_it_is_uploaded_again,
    a_sweep_can_go_past_what_it_cannot_delete,
);

const DAY: i64 = 86_400_000_000;
const NEW: Recorded = Recorded::New { awaited: false };

fn raw(text: &str) -> Cid {
    Cid::raw(text.as_bytes())
}

async fn upload(store: &Store, id: AccountId, text: &str, key: &str, at: i64) -> Recorded {
    let upload =
        Upload { account_id: id, cid: raw(text), mime: "image/png", size: 4, storage_key: key, at, quota: None };
    let mut tx = store.begin().await;
    let recorded = blob::record(&mut tx, &upload).await.unwrap();
    tx.commit().await.unwrap();
    recorded
}

/// As a server with a quota does it: kept unless it is too much.
async fn upload_within(db: &Db, id: AccountId, text: &str, size: u64, quota: u64) -> Recorded {
    let (cid, quota) = (raw(text), Some(quota));
    let upload = Upload { account_id: id, cid, mime: "image/png", size, storage_key: text, at: T0, quota };
    let mut tx = db.begin().await.unwrap();
    let recorded = blob::record(&mut tx, &upload).await.unwrap();
    match recorded {
        Recorded::OverQuota { .. } => tx.rollback().await.unwrap(),
        _ => tx.commit().await.unwrap(),
    }
    recorded
}

fn post(path: &str, blobs: &[&str]) -> Put {
    Put { blobs: blobs.iter().map(|text| raw(text)).collect(), body: Bytes::from_static(b"post"), ..put(path, path) }
}

async fn state(store: &Store, id: AccountId, text: &str) -> Option<State> {
    blob::get(&store.db, id, &raw(text)).await.unwrap().map(|blob| blob.state)
}

async fn an_upload_is_temporary_until_a_record_refers_to_it(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    assert_eq!(upload(&store, alice.id, "cat", "key", T0).await, NEW);
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Temporary));

    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();

    let found = blob::get(&store.db, alice.id, &raw("cat")).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.mime.as_str(), found.size, found.storage_key.as_str()),
        (State::Permanent, "image/png", 4, "key")
    );
}

async fn a_second_upload_is_a_twin(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "first", T0).await;

    let again = upload(&store, alice.id, "cat", "second", T0 + DAY).await;

    assert!(matches!(&again, Recorded::Known(blob) if blob.storage_key == "first"), "{again:?}");
    assert!(blob::sweepable(&store.db, T0 + DAY, None, 10).await.unwrap().is_empty(), "its time began anew");
}

async fn a_missing_blob_fails_the_commit_and_leaves_nothing(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    let writes =
        vec![RecordWrite::Create(post("a.b.post/1", &["cat"])), RecordWrite::Create(post("a.b.post/2", &["dog"]))];

    let error = alice.write(&store.db, writes).await.unwrap_err();

    let expected = RefusedBlob { account_id: alice.id, cid: raw("dog"), reason: BlobRefusal::NotFound };
    assert!(matches!(&error, CommitError::Blobs { refused } if refused[..] == [expected]), "{error:?}");
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Temporary));
    assert_eq!(pds_store::repo::root(&store.db, alice.id).await.unwrap().unwrap().head.rev, alice.rev);
    assert_eq!(pds_store::event::head(&store.db).await.unwrap(), 1);
}

async fn a_blob_of_another_account_is_missing(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let bob = Alice::create(&store.db, "bob").await;
    upload(&store, bob.id, "cat", "key", T0).await;

    let result = alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await;

    assert!(matches!(result, Err(CommitError::Blobs { .. })), "{result:?}");
}

async fn the_last_reference_keeps_a_blob(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    let writes =
        vec![RecordWrite::Create(post("a.b.post/1", &["cat"])), RecordWrite::Create(post("a.b.post/2", &["cat"]))];
    alice.write(&store.db, writes).await.unwrap();

    alice.write(&store.db, vec![RecordWrite::Delete { path: "a.b.post/1".parse().unwrap() }]).await.unwrap();
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Permanent));
    alice.write(&store.db, vec![RecordWrite::Update(post("a.b.post/2", &[]))]).await.unwrap();

    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Temporary));
    assert_eq!(blob::list(&store.db, alice.id, None, None, 10).await.unwrap(), []);
    // Its time runs from when it lost its last reference, here T0.
    assert!(blob::sweepable(&store.db, T0, None, 10).await.unwrap().is_empty());
    assert_eq!(blob::sweepable(&store.db, T0 + 1, None, 10).await.unwrap().len(), 1);
}

async fn an_update_that_keeps_a_blob_keeps_it_permanent(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    upload(&store, alice.id, "dog", "key2", T0).await;
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();

    alice.write(&store.db, vec![RecordWrite::Update(post("a.b.post/1", &["cat", "dog"]))]).await.unwrap();

    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Permanent));
    assert_eq!(state(&store, alice.id, "dog").await, Some(State::Permanent));
}

async fn only_old_temporary_blobs_are_swept(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "used", "used", T0).await;
    upload(&store, alice.id, "old", "old", T0).await;
    upload(&store, alice.id, "young", "young", T0 + DAY).await;
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["used"]))]).await.unwrap();

    let found = blob::sweepable(&store.db, T0 + DAY, None, 10).await.unwrap();

    assert_eq!(found.iter().map(|swept| swept.storage_key.as_str()).collect::<Vec<_>>(), ["old"]);
    let mut tx = store.begin().await;
    assert!(blob::delete_temporary(&mut tx, alice.id, &raw("old"), T0 + DAY).await.unwrap());
    assert!(!blob::delete_temporary(&mut tx, alice.id, &raw("young"), T0 + DAY).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(state(&store, alice.id, "old").await, None);
}

/// AL-BLB-1
async fn a_blob_used_meanwhile_survives_the_sweeper(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    assert_eq!(blob::sweepable(&store.db, T0 + DAY, None, 10).await.unwrap().len(), 1);

    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();

    let mut tx = store.begin().await;
    assert!(!blob::delete_temporary(&mut tx, alice.id, &raw("cat"), T0 + DAY).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Permanent));
}

/// The commit waits for the sweeper's transaction and then finds nothing, rather than a row that is about to go.
async fn a_blob_swept_meanwhile_is_missing(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    let mut sweeper = store.begin().await;
    assert!(blob::delete_temporary(&mut sweeper, alice.id, &raw("cat"), T0 + DAY).await.unwrap());

    let db = store.db.clone();
    let commit =
        tokio::spawn(async move { alice.write(&db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await });
    tokio::task::yield_now().await;
    sweeper.commit().await.unwrap();

    let result = commit.await.unwrap();
    assert!(matches!(result, Err(CommitError::Blobs { .. })), "{result:?}");
}

async fn a_taken_down_blob_can_neither_be_used_nor_uploaded(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();
    set_taken_down(&store, alice.id, true).await;

    assert_eq!(upload(&store, alice.id, "cat", "again", T0).await, Recorded::TakenDown);
    let error = alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/2", &["cat"]))]).await.unwrap_err();
    assert!(
        matches!(&error, CommitError::Blobs { refused } if refused[0].reason == BlobRefusal::TakenDown),
        "{error:?}"
    );
    // Records that refer to it can still be deleted, and lifting the takedown finds no reference then.
    alice.write(&store.db, vec![RecordWrite::Delete { path: "a.b.post/1".parse().unwrap() }]).await.unwrap();
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::TakenDown));
    set_taken_down(&store, alice.id, false).await;
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Temporary));
}

async fn set_taken_down(store: &Store, id: AccountId, down: bool) {
    let mut tx = store.begin().await;
    assert!(blob::set_takedown(&mut tx, id, &raw("cat"), down.then_some("case 1"), T0 + DAY).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_takedown_is_remembered_with_its_reference(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "key", T0).await;
    set_taken_down(&store, alice.id, true).await;
    let found = blob::get(&store.db, alice.id, &raw("cat")).await.unwrap().unwrap();
    assert_eq!((found.state, found.takedown_ref.as_deref()), (State::TakenDown, Some("case 1")));

    set_taken_down(&store, alice.id, false).await;
    let found = blob::get(&store.db, alice.id, &raw("cat")).await.unwrap().unwrap();
    assert_eq!((found.state, found.takedown_ref), (State::Temporary, None));
    assert!(blob::sweepable(&store.db, T0 + DAY, None, 10).await.unwrap().is_empty(), "its time began anew");

    // Lifting what was not taken down changes nothing.
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();
    set_taken_down(&store, alice.id, false).await;
    assert_eq!(state(&store, alice.id, "cat").await, Some(State::Permanent));
    let mut tx = store.begin().await;
    assert!(!blob::set_takedown(&mut tx, alice.id, &raw("dog"), Some("case 2"), T0).await.unwrap());
}

async fn what_is_swept_stays_noted_until_its_object_is_gone(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for name in ["a", "b", "c"] {
        upload(&store, alice.id, name, name, T0).await;
    }
    let mut tx = store.begin().await;
    for name in ["a", "c"] {
        assert!(blob::delete_temporary(&mut tx, alice.id, &raw(name), T0 + DAY).await.unwrap());
    }
    blob::discard(&mut tx, "twin", T0 + 2 * DAY).await.unwrap();
    blob::discard(&mut tx, "twin", T0 + DAY).await.unwrap();
    blob::discard(&mut tx, "later", T0 + 2 * DAY).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(blob::discarded(&store.db, T0 + DAY, "", 2).await.unwrap(), ["a", "c"]);
    assert_eq!(blob::discarded(&store.db, T0 + DAY, "c", 2).await.unwrap(), ["twin"]);

    let mut tx = store.begin().await;
    blob::forget_discarded(&mut tx, "c").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(blob::discarded(&store.db, T0 + DAY, "", 9).await.unwrap(), ["a", "twin"]);
    assert_eq!(blob::discarded(&store.db, T0 + 2 * DAY, "", 9).await.unwrap(), ["a", "later", "twin"]);
}

/// AL-REP-5
async fn a_quota_counts_what_the_account_has(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let bob = Alice::create(&store.db, "bob").await;
    assert_eq!(upload_within(&store.db, alice.id, "cat", 60, 100).await, NEW);
    assert_eq!(upload_within(&store.db, alice.id, "dog", 41, 100).await, Recorded::OverQuota { used: 60 });
    assert_eq!(state(&store, alice.id, "dog").await, None);
    assert_eq!(upload_within(&store.db, alice.id, "owl", 40, 100).await, NEW);
    assert_eq!(upload_within(&store.db, bob.id, "dog", 100, 100).await, NEW);
    // What it has already takes no more space, even if the quota has shrunk since.
    assert!(matches!(upload_within(&store.db, alice.id, "cat2", 1, 50).await, Recorded::OverQuota { used: 100 }));
    let again = Upload {
        account_id: alice.id,
        cid: raw("cat"),
        mime: "image/png",
        size: 60,
        storage_key: "twin",
        at: T0,
        quota: Some(50),
    };
    let mut tx = store.begin().await;
    assert!(matches!(blob::record(&mut tx, &again).await.unwrap(), Recorded::Known(_)));
    tx.commit().await.unwrap();

    // What the host took down is not the account's to delete.
    set_taken_down(&store, alice.id, true).await;
    assert_eq!(blob::used_bytes(&store.db, alice.id).await.unwrap(), 40);
    let mut tx = store.begin().await;
    assert!(blob::delete_temporary(&mut tx, alice.id, &raw("owl"), T0 + DAY).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(blob::used_bytes(&store.db, alice.id).await.unwrap(), 0);
}

/// AL-REP-5
async fn uploads_at_once_do_not_pass_the_quota_together(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let replicas = [store.replica().await, store.replica().await];
    let names: Vec<String> = (0..12).map(|n| format!("blob {n}")).collect();
    let uploads = names.iter().zip(replicas.iter().cycle()).map(|(name, db)| upload_within(db, alice.id, name, 10, 55));
    let recorded = futures::future::join_all(uploads).await;
    assert_eq!(recorded.iter().filter(|recorded| **recorded == NEW).count(), 5, "{recorded:?}");
    assert_eq!(blob::used_bytes(&store.db, alice.id).await.unwrap(), 50);
    assert_eq!(blob::count(&store.db, alice.id).await.unwrap(), 5);
}

async fn blobs_are_listed_in_pages_and_since_a_revision(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    for name in ["a", "b", "c", "unused"] {
        upload(&store, alice.id, name, name, T0).await;
    }
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["a", "b"]))]).await.unwrap();
    let since = alice.rev;
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/2", &["b", "c"]))]).await.unwrap();

    let mut all = Vec::new();
    while let page = blob::list(&store.db, alice.id, None, all.last(), 2).await.unwrap()
        && !page.is_empty()
    {
        all.extend(page);
    }
    let late = blob::list(&store.db, alice.id, Some(since), None, 10).await.unwrap();

    let mut expected = [raw("a"), raw("b"), raw("c")];
    expected.sort_by_key(|cid| cid.to_bytes());
    assert_eq!(all, expected);
    let mut expected = [raw("b"), raw("c")];
    expected.sort_by_key(|cid| cid.to_bytes());
    assert_eq!(late, expected);
}

/// F6
async fn a_lost_blob_is_missing_until_it_is_uploaded_again(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    upload(&store, alice.id, "cat", "first", T0).await;
    alice.write(&store.db, vec![RecordWrite::Create(post("a.b.post/1", &["cat"]))]).await.unwrap();
    let get = async || blob::get(&store.db, alice.id, &raw("cat")).await.unwrap().unwrap();
    let missing = async || blob::missing(&store.db, alice.id, None, 10).await.unwrap().len();
    let lose = async |blob: &blob::Blob| {
        let mut tx = store.begin().await;
        let is_news = blob::mark_lost(&mut tx, blob, T0).await.unwrap();
        tx.commit().await.unwrap();
        is_news
    };
    let before = get().await;
    assert!(lose(&before).await && !lose(&before).await);
    assert_eq!((get().await.lost_at, missing().await), (Some(T0), 1));
    assert_eq!(blob::count(&store.db, alice.id).await.unwrap(), 0);
    assert_eq!(blob::expected(&store.db, alice.id).await.unwrap(), 1);
    assert!(blob::any_missing(&store.db, alice.id).await.unwrap());
    assert_eq!(blob::count_lost(&store.db).await.unwrap(), 1);
    // It is there and not lost: to be found, or to be replaced by another upload's.
    let mut tx = store.begin().await;
    blob::mark_found(&mut tx, &before).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((get().await.lost_at, missing().await), (None, 0));
    assert_eq!(blob::count(&store.db, alice.id).await.unwrap(), 1);
    lose(&before).await;
    let mut tx = store.begin().await;
    assert!(blob::replace(&mut tx, &before, "second", T0).await.unwrap());
    assert!(!blob::replace(&mut tx, &before, "third", T0).await.unwrap(), "another upload was faster");
    tx.commit().await.unwrap();
    let now = get().await;
    assert_eq!((now.lost_at, &*now.storage_key, now.state), (None, "second", State::Permanent));
    assert_eq!((missing().await, blob::any_missing(&store.db, alice.id).await.unwrap()), (0, false));
    assert_eq!(blob::discarded(&store.db, T0, "", 10).await.unwrap(), ["first"]);
    // Whoever still looks at the object before says nothing of this one.
    assert!(!lose(&before).await);
    assert_eq!(get().await.lost_at, None);
}

async fn a_sweep_can_go_past_what_it_cannot_delete(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    for (name, at) in [("a", T0), ("b", T0), ("c", T0), ("d", T0 + 1)] {
        upload(&store, alice.id, name, name, at).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = blob::sweepable(&store.db, T0 + DAY, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last().cloned() else { break };
        seen.extend(page.into_iter().map(|swept| swept.storage_key));
        after = Some(last);
    }
    assert_eq!((seen.len(), &*seen[3]), (4, "d"));
    seen.sort();
    assert_eq!(seen, ["a", "b", "c", "d"]);
}
