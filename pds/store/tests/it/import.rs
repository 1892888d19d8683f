//! A whole repository under one head: all of it, or nothing.

use pds_repo::Cid;
use pds_store::{
    Error, account,
    blob::{self, Missing, State, Upload},
    commit::{CommitError, Put, RecordWrite, Staging, commit_batch, expired, undo_expired},
    event,
    record::{self, Page},
    repo,
};

use crate::harness::{Alice, Store, T0, label, on_both, put};

on_both!(
    an_import_replaces_what_was_there,
    nothing_is_left_of_an_import_that_fails,
    an_import_keeps_nobody_from_writing_but_its_owner,
    an_import_that_has_expired_is_undone_by_others,
    blobs_may_come_after_their_records,
);

const LEASE: i64 = 60_000_000;

fn path(n: usize) -> String {
    format!("a.b.post/{n:05}")
}

fn create(n: usize) -> RecordWrite {
    RecordWrite::Create(put(&path(n), &path(n)))
}

/// Revision, number of records as counted and as there are, events.
async fn state(store: &Store, alice: &Alice) -> (String, u64, usize, Vec<String>) {
    let root = repo::root(&store.db, alice.id).await.unwrap().unwrap();
    let entries = store.db.snapshot().await.unwrap().entries(alice.id, Vec::new()).await.unwrap();
    let batches = event::after(&store.db, 0, usize::MAX).await.unwrap().batches;
    let events = batches.iter().flat_map(|batch| batch.frames().unwrap()).map(|(_, frame)| label(&frame)).collect();
    (root.head.rev.to_string(), root.record_count, entries.len(), events)
}

async fn begin(store: &Store, alice: &Alice) -> Staging {
    Staging::begin(&store.db, alice.id, "import", T0, T0 + LEASE).await.unwrap()
}

async fn listed(store: &Store, alice: &Alice) -> usize {
    let page = Page { cursor: None, limit: 10_000, ascending: true };
    let ascending = alice.list(&store.db, "a.b.post", page).await.len();
    let page = Page { ascending: false, ..page };
    assert_eq!(alice.list(&store.db, "a.b.post", page).await.len(), ascending);
    let mut snapshot = store.db.snapshot().await.unwrap();
    let (mut bodies, mut count) = (snapshot.bodies(alice.id, None), 0);
    while let Some(page) = bodies.next().await.unwrap() {
        count += (0..).map_while(|at| page.get(at)).count();
    }
    assert_eq!(count, ascending);
    count
}

async fn an_import_replaces_what_was_there(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, (0..100).map(create).collect()).await.unwrap();
    let prepared = alice.prepare(Vec::new());
    let (rev, frame) = (prepared.rev, label(&prepared.frame));
    let before = state(&store, &alice).await;

    let mut staging = begin(&store, &alice).await;
    staging.write(&prepared, (100..400).map(create).collect(), T0).await.unwrap();
    staging.prolong(T0 + LEASE).await.unwrap();
    staging.write(&prepared, (400..613).map(create).collect(), T0).await.unwrap();
    // F5: nobody sees what is staged, and the head stands still.
    assert_eq!(state(&store, &alice).await, before);
    assert_eq!(listed(&store, &alice).await, 100);
    for path in [path(100), path(612)] {
        let path = path.parse().unwrap();
        assert_eq!(record::get(&store.db, alice.id, &path).await.unwrap(), None);
        assert_eq!(record::visible(&store.db, alice.id, &path).await.unwrap(), None);
        assert_eq!(store.db.snapshot().await.unwrap().record(alice.id, &path).await.unwrap(), None);
    }
    let mut import = staging.swap(prepared, 0, T0).await.unwrap();
    import.write(vec![RecordWrite::Update(put(&path(0), "new"))]).await.unwrap();
    import.write((1..41).map(|n| RecordWrite::Delete { path: path(n).parse().unwrap() }).collect()).await.unwrap();
    import.write(Vec::new()).await.unwrap();
    import.finish().await.unwrap();

    let (now, count, entries, events) = state(&store, &alice).await;
    assert_eq!((now, count, entries), (rev.to_string(), 573, 573));
    assert_eq!(listed(&store, &alice).await, 573);
    assert_eq!((events.len(), &events[2]), (3, &frame));
    for (n, of) in [(0, rev), (50, alice.rev), (612, rev)] {
        assert_eq!(store.rev(alice.id, &path(n)).await, of, "{n}");
    }

    // Of an account that is moving in the world is not told.
    alice.rev = rev;
    let mut tx = store.begin().await;
    account::set_deactivated(&mut tx, alice.id, Some(T0), None).await.unwrap();
    tx.commit().await.unwrap();
    let (prepared, mut staging) = (alice.prepare(Vec::new()), begin(&store, &alice).await);
    staging.write(&prepared, vec![create(613)], T0).await.unwrap();
    staging.swap(prepared, 0, T0).await.unwrap().finish().await.unwrap();
    let (_, count, _, events) = state(&store, &alice).await;
    assert_eq!((count, events.len()), (574, 3));
}

async fn nothing_is_left_of_an_import_that_fails(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, (0..10).map(create).collect()).await.unwrap();
    let before = state(&store, &alice).await;
    store.sql("create unique index one_body on record (repo_id, body)").await;

    let prepared = alice.prepare(Vec::new());
    let mut staging = begin(&store, &alice).await;
    let picture = Put { blobs: vec![raw("picture")], ..put("a.b.post/picture", "picture") };
    staging.write(&prepared, vec![create(20), RecordWrite::Create(picture)], T0).await.unwrap();
    staging.write(&prepared, (30..1200).map(create).collect(), T0).await.unwrap();
    staging.write(&prepared, vec![RecordWrite::Create(put("a.b.post/twin", &path(20)))], T0).await.unwrap_err();
    staging.undo().await.unwrap();
    assert_eq!(state(&store, &alice).await, before);
    assert_eq!(blob::missing(&store.db, alice.id, None, 10).await.unwrap(), []);

    // The end is one transaction: if that fails, the import can be undone, too.
    let mut staging = begin(&store, &alice).await;
    staging.write(&prepared, (30..300).map(create).collect(), T0).await.unwrap();
    let mut import = staging.swap(prepared, 0, T0).await.unwrap();
    import.write(vec![RecordWrite::Delete { path: path(0).parse().unwrap() }]).await.unwrap();
    import.write(vec![RecordWrite::Create(put("a.b.post/twin", &path(1)))]).await.unwrap_err();
    drop(import);
    staging.undo().await.unwrap();
    assert_eq!(state(&store, &alice).await, before, "given up");
    alice.write(&store.db, (20..1200).map(create).collect()).await.unwrap();
    assert_eq!(listed(&store, &alice).await, 1190);
}

/// F5
async fn an_import_keeps_nobody_from_writing_but_its_owner(store: Store) {
    let (mut alice, mut bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    alice.write(&store.db, vec![create(0)]).await.unwrap();
    let replica = store.replica().await;
    let prepared = alice.prepare(Vec::new());
    let mut staging = begin(&store, &alice).await;
    for n in 1..4 {
        staging.write(&prepared, vec![create(n)], T0).await.unwrap();
        bob.write(&replica, vec![create(n)]).await.unwrap();
        // At once, whatever kind of commit, and nobody else's with it.
        for write in [create(50), RecordWrite::Delete { path: path(0).parse().unwrap() }] {
            let batch = [alice.prepare(vec![write]), bob.prepare(vec![create(60)])];
            for batch in [&batch[..], &batch[..1]] {
                let error = commit_batch(&replica, batch, T0).await.unwrap_err();
                assert!(
                    matches!(&error, CommitError::Imported { accounts } if accounts[..] == [alice.id]),
                    "{error:?}"
                );
            }
        }
        // Also for an account that is deactivated still.
        let mut tx = store.begin().await;
        account::set_deactivated(&mut tx, alice.id, (n % 2 == 0).then_some(T0), None).await.unwrap();
        tx.commit().await.unwrap();
        let error = Staging::begin(&replica, alice.id, "other", T0, T0 + LEASE).await.unwrap_err();
        assert!(matches!(error, CommitError::Imported { .. }), "{error:?}");
        let mut tx = store.begin().await;
        account::set_deactivated(&mut tx, alice.id, None, None).await.unwrap();
        tx.commit().await.unwrap();
    }
    // On Postgres a portion that is being staged locks nothing that commits need.
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, Some("case 1")).await.unwrap();
    tx.commit().await.unwrap();
    let error = staging.swap(prepared.clone(), 0, T0).await.err().unwrap();
    assert!(matches!(error, CommitError::Closed { .. }), "{error:?}");
    staging.undo().await.unwrap();
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, alice.id, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(listed(&store, &alice).await, 1);
    alice.write(&store.db, vec![create(1)]).await.unwrap();
}

/// F5: the server that imported has died.
async fn an_import_that_has_expired_is_undone_by_others(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, vec![create(0)]).await.unwrap();
    let before = state(&store, &alice).await;
    let prepared = alice.prepare(Vec::new());
    let mut dead = begin(&store, &alice).await;
    dead.write(&prepared, (1..700).map(create).collect(), T0).await.unwrap();

    let replica = store.replica().await;
    assert!(!undo_expired(&replica, alice.id, T0 + LEASE).await.unwrap(), "it may be alive");
    assert!(undo_expired(&replica, alice.id, T0 + LEASE + 1).await.unwrap());
    assert!(!undo_expired(&replica, alice.id, T0 + LEASE + 1).await.unwrap());
    assert_eq!(state(&store, &alice).await, before);
    // It was only slow, and can neither go on nor end what others have begun since.
    assert!(matches!(dead.write(&prepared, vec![create(1)], T0).await, Err(Error::ImportLost { .. })));
    assert!(matches!(dead.prolong(T0 + 9 * LEASE).await, Err(Error::ImportLost { .. })));
    assert!(matches!(dead.swap(prepared, 0, T0).await.err().unwrap(), CommitError::Stale { .. }));
    alice.write(&replica, vec![create(1)]).await.unwrap();
    let mut next = Staging::begin(&replica, alice.id, "next", T0, T0 + LEASE).await.unwrap();
    let prepared = alice.prepare(Vec::new());
    next.write(&prepared, vec![create(2)], T0).await.unwrap();
    dead.undo().await.unwrap();
    next.swap(prepared, 0, T0).await.unwrap().finish().await.unwrap();
    assert_eq!(listed(&store, &alice).await, 3);
    // The next one undoes it itself.
    let _dead = Staging::begin(&store.db, alice.id, "dead", T0, T0 + LEASE).await.unwrap();
    assert_eq!(expired(&store.db, T0 + LEASE, 10).await.unwrap(), []);
    assert_eq!(expired(&store.db, T0 + LEASE + 1, 10).await.unwrap(), [alice.id]);
    Staging::begin(&replica, alice.id, "again", T0 + 2 * LEASE, T0 + 3 * LEASE).await.unwrap().undo().await.unwrap();
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
    alice.write(&store.db, vec![RecordWrite::Create(picture("a.b.post/1", &["kept", "old"]))]).await.unwrap();

    let (prepared, mut staging) = (alice.prepare(Vec::new()), begin(&store, &alice).await);
    let second = picture("a.b.post/2", &["waiting", "new", "newer"]);
    staging.write(&prepared, vec![RecordWrite::Create(second)], T0).await.unwrap();
    staging.write(&prepared, vec![RecordWrite::Create(picture("a.b.post/3", &["new"]))], T0).await.unwrap();
    let mut import = staging.swap(prepared, 0, T0).await.unwrap();
    import.write(vec![RecordWrite::Update(picture("a.b.post/1", &["kept"]))]).await.unwrap();
    import.finish().await.unwrap();

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
