//! What a batch of commits does, and what a failed one does not.

use pds_store::{
    AccountId, Db, account,
    commit::{CommitError, Committed, NewCommit, RecordWrite, Staging, commit_batch},
    event, record, repo,
};

use crate::harness::{Alice, Store, T0, cid, label, on_both, put};

on_both!(
    a_lone_commit_moves_head_records_and_sequence,
    updates_and_deletes_take_effect,
    a_commit_without_writes_moves_the_head,
    a_batch_is_one_row_of_events_in_the_order_given,
    a_stale_member_undoes_the_whole_batch_and_is_named,
    a_stale_lone_commit_writes_nothing,
    commits_that_build_on_each_other_may_share_a_batch,
    commits_that_do_not_build_on_each_other_are_stale,
    two_hundred_writes_in_one_commit,
    an_empty_batch_does_nothing,
    an_unknown_repository_is_stale,
    a_closed_repository_takes_no_commit,
    a_commit_that_waits_for_a_takedown_is_refused,
);

fn create(path: &str) -> RecordWrite {
    RecordWrite::Create(put(path, path))
}

fn update(path: &str, body: &str) -> RecordWrite {
    RecordWrite::Update(put(path, body))
}

fn delete(path: &str) -> RecordWrite {
    RecordWrite::Delete { path: path.parse().unwrap() }
}

async fn contents(db: &Db, alice: &Alice) -> Vec<(String, String)> {
    let mut snapshot = db.snapshot().await.unwrap();
    let entries = snapshot.entries(alice.id, Vec::new()).await.unwrap();
    let (mut texts, mut bodies) = (Vec::new(), snapshot.bodies(alice.id, None));
    while let Some(page) = bodies.next().await.unwrap() {
        let read = (0..).map_while(|at| page.get(at));
        texts.extend(read.map(|(cid, body)| (cid, String::from_utf8(body.to_vec()).unwrap())));
    }
    assert_eq!(entries.len(), texts.len());
    let both = entries.into_iter().zip(texts);
    both.map(|((path, cid), (of, text))| (path.to_string(), if cid == of { text } else { of.to_string() })).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, body)| ((*path).to_owned(), (*body).to_owned())).collect()
}

async fn labels(db: &Db) -> Vec<(i64, String)> {
    let batches = event::after(db, 0, usize::MAX).await.unwrap().batches;
    batches.iter().flat_map(|batch| batch.frames().unwrap()).map(|(seq, frame)| (seq, label(&frame))).collect()
}

async fn a_lone_commit_moves_head_records_and_sequence(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let prepared = alice.prepare(vec![create("a.b.post/1"), create("a.b.post/2")]);

    let committed = commit_batch(&store.db, std::slice::from_ref(&prepared), T0).await.unwrap();

    assert_eq!(committed, Committed { first_seq: 2 });
    let root = repo::root(&store.db, alice.id).await.unwrap().unwrap();
    assert_eq!((root.head.rev, root.head.commit, root.head.data), (prepared.rev, prepared.commit, prepared.data));
    assert_eq!((root.commit_bytes, root.record_count), (prepared.commit_bytes, 2));
    let stored = record::get(&store.db, alice.id, &"a.b.post/1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((store.rev(alice.id, "a.b.post/1").await, stored.cid), (prepared.rev, cid("a.b.post/1")));
    assert_eq!(labels(&store.db).await[1], (2, label(&prepared.frame)));
}

async fn updates_and_deletes_take_effect(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice.write(&store.db, vec![create("a.b.post/1"), create("a.b.post/2"), create("a.b.post/3")]).await.unwrap();

    alice
        .write(&store.db, vec![delete("a.b.post/1"), update("a.b.post/2", "new"), create("a.b.post/4")])
        .await
        .unwrap();

    let expected = [("a.b.post/2", "new"), ("a.b.post/3", "a.b.post/3"), ("a.b.post/4", "a.b.post/4")];
    assert_eq!(contents(&store.db, &alice).await, pairs(&expected));
    assert_eq!(repo::root(&store.db, alice.id).await.unwrap().unwrap().record_count, 3);
}

async fn a_commit_without_writes_moves_the_head(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;

    alice.write(&store.db, Vec::new()).await.unwrap();

    assert_eq!(repo::root(&store.db, alice.id).await.unwrap().unwrap().head.rev, alice.rev);
    assert_eq!(event::head(&store.db).await.unwrap(), 2);
}

async fn a_batch_is_one_row_of_events_in_the_order_given(store: Store) {
    let bob = Alice::create(&store.db, "bob").await;
    let alice = Alice::create(&store.db, "alice").await;
    let batch = [alice.prepare(vec![create("a.b.post/1")]), bob.prepare(vec![create("a.b.post/1")])];

    let committed = commit_batch(&store.db, &batch, T0 + 7).await.unwrap();

    let rows = event::after(&store.db, 2, usize::MAX).await.unwrap().batches;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].first_seq, rows[0].n, rows[0].at), (committed.first_seq, 2, T0 + 7));
    let seen: Vec<_> = rows[0].frames().unwrap().iter().map(|(seq, frame)| (*seq, label(frame))).collect();
    assert_eq!(seen, [(3, label(&batch[0].frame)), (4, label(&batch[1].frame))]);
}

async fn a_stale_member_undoes_the_whole_batch_and_is_named(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let mut bob = Alice::create(&store.db, "bob").await;
    let carol = Alice::create(&store.db, "carol").await;
    let behind = bob.clone();
    bob.write(&store.db, vec![create("a.b.post/1")]).await.unwrap();
    let head = event::head(&store.db).await.unwrap();
    let mut batch: Vec<NewCommit> = [&carol, &behind, &alice].map(|who| who.prepare(vec![create("a.b.post/2")])).into();

    let error = commit_batch(&store.db, &batch, T0).await.unwrap_err();

    assert!(matches!(&error, CommitError::Stale { accounts } if accounts[..] == [bob.id]), "{error:?}");
    assert_eq!(contents(&store.db, &alice).await, []);
    assert_eq!(event::head(&store.db).await.unwrap(), head);
    // The others can go on without it.
    batch.retain(|prepared| prepared.account_id != bob.id);
    assert_eq!(commit_batch(&store.db, &batch, T0).await.unwrap().first_seq, head + 1);
}

async fn a_stale_lone_commit_writes_nothing(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let behind = alice.clone();
    alice.write(&store.db, vec![create("a.b.post/1")]).await.unwrap();

    let error = behind.clone().write(&store.db, vec![create("a.b.post/2")]).await.unwrap_err();

    assert!(matches!(&error, CommitError::Stale { accounts } if accounts[..] == [alice.id]), "{error:?}");
    assert_eq!(contents(&store.db, &alice).await.len(), 1);
    assert_eq!(labels(&store.db).await.len(), 2);
    alice.write(&store.db, vec![create("a.b.post/2")]).await.unwrap();
    assert_eq!(event::head(&store.db).await.unwrap(), 3);
}

async fn commits_that_build_on_each_other_may_share_a_batch(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    alice
        .write(&store.db, vec![create("a.b.post/kept"), create("a.b.post/gone"), create("a.b.post/back")])
        .await
        .unwrap();
    let mut step = alice.clone();
    let mut chain = Vec::new();
    for writes in [
        vec![create("a.b.post/passing"), update("a.b.post/kept", "1"), delete("a.b.post/back")],
        vec![delete("a.b.post/passing"), update("a.b.post/kept", "2"), create("a.b.post/new")],
        vec![delete("a.b.post/gone"), create("a.b.post/back")],
    ] {
        let prepared = step.prepare(writes);
        step.rev = prepared.rev;
        chain.push(prepared);
    }

    let committed = commit_batch(&store.db, &chain, T0).await.unwrap();

    let expected = [("a.b.post/back", "a.b.post/back"), ("a.b.post/kept", "2"), ("a.b.post/new", "a.b.post/new")];
    assert_eq!(contents(&store.db, &alice).await, pairs(&expected));
    let root = repo::root(&store.db, alice.id).await.unwrap().unwrap();
    assert_eq!((root.head.rev, root.record_count), (step.rev, 3));
    let kept = store.rev(alice.id, "a.b.post/kept").await;
    assert_eq!(kept, chain[1].rev, "the revision that wrote it, not the last one");
    assert_eq!(event::head(&store.db).await.unwrap(), committed.first_seq + 2);
}

async fn commits_that_do_not_build_on_each_other_are_stale(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let batch = [alice.prepare(vec![create("a.b.post/1")]), alice.prepare(vec![create("a.b.post/2")])];

    let error = commit_batch(&store.db, &batch, T0).await.unwrap_err();

    assert!(matches!(&error, CommitError::Stale { accounts } if accounts[..] == [alice.id]), "{error:?}");
    assert_eq!(event::head(&store.db).await.unwrap(), 1);
}

async fn two_hundred_writes_in_one_commit(store: Store) {
    let mut alice = Alice::create(&store.db, "alice").await;
    let paths: Vec<String> = (0..200).map(|n| format!("a.b.post/{n:03}")).collect();

    alice.write(&store.db, paths.iter().map(|path| create(path)).collect()).await.unwrap();
    alice.write(&store.db, paths.iter().map(|path| update(path, "new")).collect()).await.unwrap();
    assert_eq!(contents(&store.db, &alice).await.len(), 200);
    alice.write(&store.db, paths.iter().map(|path| delete(path)).collect()).await.unwrap();

    assert_eq!(contents(&store.db, &alice).await, []);
    assert_eq!(repo::root(&store.db, alice.id).await.unwrap().unwrap().record_count, 0);
}

async fn an_empty_batch_does_nothing(store: Store) {
    assert_eq!(commit_batch(&store.db, &[], T0).await.unwrap(), Committed { first_seq: 1 });
    assert_eq!(event::head(&store.db).await.unwrap(), 0);
}

async fn an_unknown_repository_is_stale(store: Store) {
    let mut nobody = Alice::create(&store.db, "alice").await;
    nobody.id = pds_store::AccountId(404);

    for writes in [vec![create("a.b.post/1")], vec![delete("a.b.post/1")]] {
        let error = commit_batch(&store.db, &[nobody.prepare(writes)], T0).await.unwrap_err();
        assert!(matches!(&error, CommitError::Stale { accounts } if accounts[..] == [nobody.id]), "{error:?}");
    }
}

/// The causes of a state: takedown, suspension, deactivation.
type Causes = (Option<&'static str>, Option<i64>, Option<i64>);

async fn set_state(store: &Store, id: AccountId, (taken_down, suspended, deactivated): Causes) {
    let mut tx = store.begin().await;
    account::set_takedown(&mut tx, id, taken_down).await.unwrap();
    let suspension = suspended.map(|until| account::Suspension { until, reason: None });
    account::set_suspension(&mut tx, id, suspension.as_ref()).await.unwrap();
    account::set_deactivated(&mut tx, id, deactivated, None).await.unwrap();
    tx.commit().await.unwrap();
}

fn is_closed(error: &CommitError, id: AccountId) -> bool {
    matches!(error, CommitError::Closed { accounts } if accounts[..] == [id])
}

/// F4
async fn a_closed_repository_takes_no_commit(store: Store) {
    let (mut alice, mut bob) = (Alice::create(&store.db, "alice").await, Alice::create(&store.db, "bob").await);
    alice.write(&store.db, vec![create("a.b.post/0")]).await.unwrap();
    let takedown = Some("case 1");
    let states: [Causes; 6] = [
        (takedown, None, None),
        (None, None, Some(T0)),
        (takedown, None, Some(T0)),
        // Also if its time has passed, until it is ended.
        (None, Some(T0 - 1), None),
        (None, Some(T0 + 1), Some(T0)),
        (takedown, Some(T0 + 1), None),
    ];
    for state in states {
        set_state(&store, alice.id, state).await;
        let head = event::head(&store.db).await.unwrap();
        let batches = [
            vec![alice.prepare(vec![create("a.b.post/1")])],
            vec![alice.prepare(vec![create("a.b.post/1")]), bob.prepare(vec![create("a.b.post/1")])],
            vec![alice.prepare(vec![update("a.b.post/0", "new")]), bob.prepare(vec![])],
        ];
        for batch in batches {
            let error = commit_batch(&store.db, &batch, T0).await.unwrap_err();
            assert!(is_closed(&error, alice.id), "{error:?}");
        }
        assert_eq!(event::head(&store.db).await.unwrap(), head);
        let import = Staging::begin(&store.db, alice.id, "import", T0, T0 + 1).await;
        assert_eq!(import.is_ok(), state == (None, None, Some(T0)), "who moves in is deactivated still");
        if let Ok(import) = import {
            import.undo().await.unwrap();
        }
    }
    bob.write(&store.db, vec![create("a.b.post/1")]).await.unwrap();
    set_state(&store, alice.id, (None, None, None)).await;
    alice.write(&store.db, vec![create("a.b.post/1")]).await.unwrap();
}

/// F4: the commit was built, and even sent, before the takedown ended.
async fn a_commit_that_waits_for_a_takedown_is_refused(store: Store) {
    let alice = Alice::create(&store.db, "alice").await;
    let others = store.replica().await;
    for writes in [vec![create("a.b.post/1")], vec![]] {
        let mut takedown = store.begin().await;
        account::lock(&mut takedown, alice.id).await.unwrap();
        account::set_takedown(&mut takedown, alice.id, Some("case 1")).await.unwrap();
        let (prepared, others) = (alice.prepare(writes), others.clone());
        let waiting = tokio::spawn(async move { commit_batch(&others, &[prepared], T0).await });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        takedown.commit().await.unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert!(is_closed(&error, alice.id), "{error:?}");
        set_state(&store, alice.id, (None, None, None)).await;
    }
}
