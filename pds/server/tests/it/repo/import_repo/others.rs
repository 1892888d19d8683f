//! What an import does to others, and how much of it there may be.

use std::collections::BTreeMap;

use bytes::Bytes;
use pds_repo::Cid;
use pds_syntax::Tid;
use serde_json::json;

use super::{Blocks, CAR, METHOD, THING, blocks, commit_of, elsewhere, file, import, latest, records_of, signed_at};
use crate::{
    harness::{TestPds, send},
    on_both,
    sync::verify,
};

on_both!(a_revision_of_the_future_moves_its_own_repository_only, |pds| async move {
    // F3
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let elsewhere = elsewhere(&alice.did, &BTreeMap::from([(format!("{THING}/one"), json!({"$type": THING}))]));
    let now = || pds_server::clock::Clock::now_us(&*pds.clock).unsigned_abs();
    let future = Tid::from_micros(now() + 299_000_000, 7);
    let file = signed_at(future, &alice.did, &commit_of(&elsewhere).data, blocks(&elsewhere).split_off(1));
    import(&pds, &alice, file).await.ok();
    assert!(latest(&pds, &alice).await["rev"].as_str().unwrap() > future.to_string().as_str());
    let at_most = |text: &str| {
        let tid: Tid = text.rsplit('/').next().unwrap().parse().unwrap();
        assert!(tid.micros() < now() + 60_000_000, "{text} is of the future");
    };
    let written = bob.create(THING, json!({"$type": THING})).await.ok();
    at_most(written["commit"]["rev"].as_str().unwrap());
    at_most(written["uri"].as_str().unwrap());
    // Her own revisions go on from where they are; her keys are of now.
    let written = alice.create(THING, json!({"$type": THING})).await.ok();
    assert!(written["commit"]["rev"].as_str().unwrap() > future.to_string().as_str());
    at_most(written["uri"].as_str().unwrap());
    let carol = pds.person("carol").await;
    at_most(latest(&pds, &carol).await["rev"].as_str().unwrap());
});

on_both!(an_import_of_many_records_is_noticed_by_nobody_else, |pds| async move {
    // F5
    let one = pds.replica_with(&[("PDS_MAX_REPO_IMPORT_SIZE", "64MiB")]).await;
    let two = pds.replica().await;
    let (alice, bob) = (one.person("alice").await, one.person("bob").await);
    alice.post("before").await;
    let records: BTreeMap<_, _> = (0..12_000)
        .map(|n| (format!("{THING}/{n:05}"), json!({"$type": THING, "n": n, "text": "x".repeat(100)})))
        .collect();
    let file = elsewhere(&alice.did, &records);
    let mut firehose = one.firehose(None).await;
    let running = async {
        let answer = import(&one, &alice, file).await;
        (answer, std::time::Instant::now())
    };
    let others = async {
        let (mut written, mut refused, mut longest) = (0, 0, std::time::Duration::ZERO);
        // Until the import's event is there.
        let over = async { while firehose.next().await.kind != "#sync" {} };
        tokio::pin!(over);
        for n in 0.. {
            let began = std::time::Instant::now();
            let pds = if n % 2 == 0 { &one } else { &two };
            let (owner, other) = (alice.at(&pds.url), bob.at(&pds.url));
            let (mine, theirs) = tokio::join!(owner.create("com.example.other", json!({"n": n})), async {
                (other.create("com.example.other", json!({"n": n})).await, began.elapsed())
            },);
            match mine.error() {
                (200, _) => written += 1,
                (503, "ServiceUnavailable") => refused += 1,
                _ => panic!("{} {}", mine.status, mine.body),
            }
            theirs.0.ok();
            longest = longest.max(theirs.1);
            tokio::select! {
                () = &mut over => break,
                () = tokio::time::sleep(std::time::Duration::from_millis(100)) => {}
            }
        }
        (written, refused, longest)
    };
    let ((answer, _), (written, refused, longest)) = tokio::join!(running, others);
    assert_eq!(answer.ok(), "");
    assert!(refused > 0, "{written} writes of the owner went between");
    assert!(longest < std::time::Duration::from_secs(3), "{longest:?}");
    // What the owner wrote before the import began gave way, what came after it stays.
    alice.at(&two.url).post("after").await;
    let verified = verify(&alice.car().await, &alice.did);
    assert!((12_001..12_010).contains(&verified), "{verified}");
    assert_eq!(records_of(&alice).await.len(), 100);
});

#[tokio::test]
async fn a_repository_of_too_many_records_is_refused() {
    let database = crate::harness::Database::sqlite();
    let pds = TestPds::with(database, &[("PDS_MAX_REPO_IMPORT_RECORDS", "50")]).await;
    let alice = pds.person("alice").await;
    let records = |count: usize| {
        elsewhere(
            &alice.did,
            &(0..count).map(|n| (format!("{THING}/{n:05}"), json!({"$type": THING, "n": n}))).collect(),
        )
    };
    let refused = import(&pds, &alice, records(51)).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert!(refused.body["message"].as_str().unwrap().contains("more than 50 records"), "{}", refused.body);
    import(&pds, &alice, records(50)).await.ok();
    // The index of a file's blocks does not grow with what the file claims.
    let blocks: Blocks =
        (0..20_000u32).map(|n| (Cid::raw(&n.to_be_bytes()), Bytes::copy_from_slice(&n.to_be_bytes()))).collect();
    let refused = import(&pds, &alice, file(&blocks[0].0, &blocks)).await;
    assert!(refused.body["message"].as_str().unwrap().contains("more blocks"), "{}", refused.body);
}

/// What is there before is replaced in one transaction, and everybody's writes wait for it on SQLite.
#[tokio::test]
async fn an_import_that_would_replace_too_many_records_is_refused_and_changes_nothing() {
    let pds = TestPds::with(crate::harness::Database::sqlite(), &[("PDS_MAX_REPO_IMPORT_REPLACED", "5")]).await;
    let alice = pds.person("alice").await;
    let records = |from: usize, to: usize, text: &str| {
        let records = (from..to).map(|n| (format!("{THING}/{n:05}"), json!({"$type": THING, "text": text}))).collect();
        elsewhere(&alice.did, &records)
    };
    import(&pds, &alice, records(0, 20, "first")).await.ok();
    let before = latest(&pds, &alice).await;
    // Six that are gone, and six that are changed.
    for file in [records(6, 20, "first"), records(0, 6, "other")] {
        let refused = import(&pds, &alice, file).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"));
        assert!(refused.body["message"].as_str().unwrap().contains("more than 5 records"), "{}", refused.body);
        assert_eq!(latest(&pds, &alice).await, before);
    }
    import(&pds, &alice, records(5, 500, "first")).await.ok();
    assert_ne!(latest(&pds, &alice).await, before);
}

/// Keys of a high level are not packed in memory, and share their beginnings in the file: it is much smaller than its tree.
#[tokio::test]
async fn a_repository_whose_tree_takes_too_much_memory_is_refused() {
    let pds = TestPds::with(crate::harness::Database::sqlite(), &[("PDS_IMPORT_MEMORY", "3MiB")]).await;
    let alice = pds.person("alice").await;
    let keys = (0..).map(|n: u32| format!("{THING}/{}{n:08}", "x".repeat(490)));
    let keys = keys.filter(|key| pds_repo::mst::height(key) >= 3).take(5_000);
    let file = elsewhere(&alice.did, &keys.map(|key| (key, json!({"$type": THING}))).collect());
    assert!(file.len() < 2 << 20, "{}", file.len());
    let refused = import(&pds, &alice, file).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("more than 3145728 bytes of memory"), "{message}");
    // The memory is free again.
    import(&pds, &alice, elsewhere(&alice.did, &BTreeMap::from([(format!("{THING}/one"), json!({"$type": THING}))])))
        .await
        .ok();
}

/// A file holds each block once, whatever the number of keys that refer to it.
#[tokio::test]
async fn a_repository_whose_records_are_larger_than_any_file_is_refused() {
    let pds = TestPds::with(crate::harness::Database::sqlite(), &[("PDS_MAX_REPO_IMPORT_SIZE", "1MiB")]).await;
    let alice = pds.person("alice").await;
    let record = json!({"$type": THING, "text": "x".repeat(100_000)});
    let with_keys = |count: usize| {
        let whole = elsewhere(&alice.did, &(0..count).map(|n| (format!("{THING}/{n}"), record.clone())).collect());
        let (mut once, mut seen) = (blocks(&whole), std::collections::HashSet::new());
        once.retain(|(cid, _)| seen.insert(*cid));
        file(&once[0].0, &once)
    };
    let refused = import(&pds, &alice, with_keys(20)).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert_eq!(refused.body["message"], "the records have more than 1048576 bytes together");
    import(&pds, &alice, with_keys(5)).await.ok();
}

/// As many as may read their files at once send theirs slowly: that takes a place, and no turn.
#[tokio::test]
async fn accounts_that_send_slowly_take_no_turn_from_others() {
    let pds = TestPds::sqlite().await;
    let records = BTreeMap::from([(format!("{THING}/new"), json!({"$type": THING}))]);
    let mut slow = Vec::new();
    for name in ["alice", "carol", "dan"] {
        let person = pds.person(name).await;
        let file = elsewhere(&person.did, &records);
        let (pieces, body) = futures::channel::mpsc::unbounded::<std::io::Result<Vec<u8>>>();
        pieces.unbounded_send(Ok(file[..100].to_vec())).unwrap();
        let request = pds.post(METHOD).bearer_auth(&person.access).header("content-type", CAR);
        let answer = tokio::spawn(send(request.body(reqwest::Body::wrap_stream(body))));
        slow.push((pieces, file, answer));
    }
    let bob = pds.person("bob").await;
    import(&pds, &bob, elsewhere(&bob.did, &records)).await.ok();
    for (pieces, file, answer) in slow {
        pieces.unbounded_send(Ok(file[100..].to_vec())).unwrap();
        drop(pieces);
        answer.await.unwrap().ok();
    }
}

/// A replica that the database has lost its connection to may hold a lock for seconds.
#[tokio::test]
async fn a_lock_that_is_not_free_in_time_is_waited_for_again() {
    let pds = TestPds::postgres().await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let file = elsewhere(&alice.did, &BTreeMap::from([(format!("{THING}/one"), json!({"$type": THING}))]));
    // Longer than a statement waits for a lock, and shorter than it is tried again.
    let mut holder = pds.database.hold_events(7);
    let (imported, written) =
        tokio::join!(import(&pds, &alice, file), bob.create(THING, json!({"$type": THING, "n": 1})));
    imported.ok();
    written.ok();
    assert!(holder.wait().unwrap().success());
}
