//! Two replicas at once: the sequence stays gapless, readers miss nothing, and of two writers to one head one wins.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pds_store::{
    Db,
    commit::{CommitError, RecordWrite, commit_batch},
    event, record, repo,
};
use pds_syntax::Tid;

use crate::harness::{Alice, Store, T0, label, on_both, put};

on_both!(
    replicas_writing_apart_leave_no_gap,
    of_two_commits_on_one_head_one_wins,
    a_hot_repository_loses_no_write,
    batches_that_overlap_in_any_order_do_not_deadlock,
);

/// Reads as a subscriber does until told to stop and everything is read.
fn reader(db: Db, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let (mut last, mut labels) = (0, Vec::new());
        loop {
            let stopping = stop.load(Ordering::SeqCst);
            let batches = event::after(&db, last, 64 * 1024).await.unwrap().batches;
            for (seq, frame) in batches.iter().flat_map(|batch| batch.frames().unwrap()) {
                if seq > last {
                    assert_eq!(seq, last + 1, "a hole before {seq}");
                    last = seq;
                    labels.push(label(&frame));
                }
            }
            if stopping && batches.is_empty() {
                return labels;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    })
}

async fn replicas_writing_apart_leave_no_gap(store: Store) {
    const ROUNDS: u64 = 40;
    let replicas = [store.db.clone(), store.replica().await, store.replica().await];
    let stop = Arc::new(AtomicBool::new(false));
    let readers = [reader(store.db.clone(), stop.clone()), reader(store.replica().await, stop.clone())];
    let mut writers = Vec::new();
    for (r, replica) in replicas.into_iter().enumerate() {
        for w in 0..2 {
            let pair = [
                Alice::create(&replica, &format!("r{r}w{w}a")).await,
                Alice::create(&replica, &format!("r{r}w{w}b")).await,
            ];
            writers.push(tokio::spawn(write_rounds(replica.clone(), pair, ROUNDS)));
        }
    }
    let written = futures::future::join_all(writers).await.into_iter().map(Result::unwrap).sum::<u64>();
    stop.store(true, Ordering::SeqCst);

    let [first, second] = readers;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(first, second, "the order is the same for every reader");
    assert_eq!(first.len() as u64, written + 12);
    assert_eq!(event::head(&store.db).await.unwrap().unsigned_abs(), written + 12);
    // Each repository's own events are in the order of its revisions.
    let mut revs: BTreeMap<String, Tid> = BTreeMap::new();
    for (did, rev) in first.iter().filter_map(|label| label.split_once(' ')).filter(|(did, _)| did.starts_with("did:"))
    {
        let rev = rev.parse().unwrap();
        assert!(revs.insert(did.to_owned(), rev).is_none_or(|before| before < rev), "{did} {rev}");
    }
}

/// Lone commits and batches in turn; returns how many commits there were.
async fn write_rounds(db: Db, mut pair: [Alice; 2], rounds: u64) -> u64 {
    let mut commits = 0;
    for round in 0..rounds {
        let path = format!("a.b.post/{round}");
        let size = 1 + (round % 2) as usize;
        let batch: Vec<_> =
            pair[..size].iter().map(|who| who.prepare(vec![RecordWrite::Create(put(&path, &path))])).collect();
        commit_batch(&db, &batch, T0).await.unwrap();
        for (who, prepared) in pair.iter_mut().zip(&batch) {
            who.rev = prepared.rev;
        }
        commits += batch.len() as u64;
    }
    commits
}

async fn of_two_commits_on_one_head_one_wins(store: Store) {
    let other = store.replica().await;
    let mut alice = Alice::create(&store.db, "alice").await;
    for round in 0..20 {
        let one = alice.prepare(vec![RecordWrite::Create(put(&format!("a.b.post/{round}a"), "a"))]);
        let mut two = alice.prepare(vec![RecordWrite::Create(put(&format!("a.b.post/{round}b"), "b"))]);
        if round % 2 == 1 {
            two.writes.push(RecordWrite::Delete { path: "a.b.post/none".parse().unwrap() });
        }
        let (ones, twos) = ([one], [two]);
        let (one, two) = tokio::join!(commit_batch(&store.db, &ones, T0), commit_batch(&other, &twos, T0));

        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        won.unwrap();
        assert!(matches!(&lost, Err(CommitError::Stale { accounts }) if accounts[..] == [alice.id]), "{lost:?}");
        alice.rev = ones[0].rev;
    }
    assert_eq!(event::head(&store.db).await.unwrap(), 21);
}

async fn a_hot_repository_loses_no_write(store: Store) {
    const WRITES: usize = 15;
    let alice = Alice::create(&store.db, "alice").await;
    let writers =
        [store.db.clone(), store.replica().await, store.replica().await].into_iter().enumerate().map(|(w, db)| {
            let mut alice = alice.clone();
            tokio::spawn(async move {
                for n in 0..WRITES {
                    let path = format!("a.b.post/{w}-{n}");
                    loop {
                        // Revisions must differ between the writers, as their clocks' identities see to.
                        let mut prepared = alice.prepare(vec![RecordWrite::Create(put(&path, &path))]);
                        prepared.rev = Tid::from_micros(prepared.rev.micros(), w as u16);
                        match commit_batch(&db, &[prepared], T0).await {
                            Ok(_) => break,
                            Err(CommitError::Stale { .. }) => {
                                alice.rev = repo::root(&db, alice.id).await.unwrap().unwrap().head.rev;
                            }
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
            })
        });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }

    let root = repo::root(&store.db, alice.id).await.unwrap().unwrap();
    assert_eq!(root.record_count as usize, 3 * WRITES);
    assert_eq!(event::head(&store.db).await.unwrap() as usize, 3 * WRITES + 1);
    let last = format!("a.b.post/2-{}", WRITES - 1).parse().unwrap();
    assert!(record::get(&store.db, alice.id, &last).await.unwrap().is_some());
}

async fn batches_that_overlap_in_any_order_do_not_deadlock(store: Store) {
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(Alice::create(&store.db, &format!("p{n}")).await);
    }
    let replicas = [store.db.clone(), store.replica().await];
    let writers = replicas.into_iter().enumerate().map(|(r, db)| {
        let mut people = people.clone();
        if r == 1 {
            people.reverse();
        }
        tokio::spawn(async move {
            for round in 0..15 {
                let mut pending: Vec<usize> = (0..people.len()).collect();
                while !pending.is_empty() {
                    let path = format!("a.b.post/{r}-{round}");
                    let batch: Vec<_> = pending
                        .iter()
                        .map(|&i| {
                            let mut prepared = people[i].prepare(vec![RecordWrite::Create(put(&path, &path))]);
                            prepared.rev = Tid::from_micros(prepared.rev.micros(), r as u16);
                            prepared
                        })
                        .collect();
                    match commit_batch(&db, &batch, T0).await {
                        Ok(_) => pending.clear(),
                        Err(CommitError::Stale { accounts }) => {
                            for person in people.iter_mut().filter(|person| accounts.contains(&person.id)) {
                                person.rev = repo::root(&db, person.id).await.unwrap().unwrap().head.rev;
                            }
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                for person in &mut people {
                    person.rev = repo::root(&db, person.id).await.unwrap().unwrap().head.rev;
                }
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }

    for person in &people {
        assert_eq!(repo::root(&store.db, person.id).await.unwrap().unwrap().record_count, 30);
    }
}
