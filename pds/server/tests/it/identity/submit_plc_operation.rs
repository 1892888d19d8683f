//! `com.atproto.identity.submitPlcOperation`: that what the directory has taken is announced. Its refusals are in `server/activate_account.rs`.

use std::sync::atomic::Ordering;

use pds_identity::plc::{Directory, SignedOperation};
use pds_server::clock::Clock;
use pds_store::account;
use serde_json::json;

use crate::{
    harness::{Person, TestPds},
    on_both,
};

const METHOD: &str = "com.atproto.identity.submitPlcOperation";

/// The next operation, which changes nothing that the host cares for.
async fn next(pds: &TestPds, person: &Person) -> SignedOperation {
    let mut next = pds.directory.last(&person.did.parse().unwrap()).await.unwrap().next();
    next.also_known_as.push(format!("https://{}.example", next.also_known_as.len()));
    pds.app.keys.rotation.sign(next).await.unwrap()
}

async fn unfinished(pds: &TestPds) -> usize {
    account::unfinished_submissions(&pds.app.db, i64::MAX, 9).await.unwrap().len()
}

on_both!(a_submission_that_was_killed_after_the_directory_took_it_is_announced, |pds| async move {
    // AL-SYN-5, AL-IDN-3
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::begin_submission(&mut tx, id, 0).await.unwrap();
    tx.commit().await.unwrap();
    let operation = next(&pds, &alice).await;
    pds.directory.submit(&did, &operation).await.unwrap();

    let mut firehose = pds.firehose(None).await;
    pds.app.identities.announce_interrupted(pds.clock.now_us()).await.unwrap();
    assert_eq!(firehose.next().await.kind, "#identity");
    let held = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!(held["didDoc"]["alsoKnownAs"], json!(operation.operation.also_known_as), "the new document is used");
    // Once: another run, and another replica that saw the same row, say nothing more.
    pds.app.identities.announce_interrupted(pds.clock.now_us()).await.unwrap();
    alice.post("next").await;
    assert_eq!(firehose.next().await.kind, "#commit");
    assert_eq!(unfinished(&pds).await, 0);
});

on_both!(a_submission_ends_with_its_event_or_with_the_refusal, |pds| async move {
    // AL-IDN-4
    let alice = pds.person("alice").await;
    let submit = |operation: SignedOperation| alice.call(METHOD, json!({"operation": operation}));
    let mut firehose = pds.firehose(None).await;
    let good = next(&pds, &alice).await;
    submit(good.clone()).await.ok();
    assert_eq!(firehose.next().await.kind, "#identity");
    assert_eq!(unfinished(&pds).await, 0);
    // It is not the next operation any more.
    assert_eq!(submit(good).await.error(), (400, "InvalidRequest"));
    assert_eq!(unfinished(&pds).await, 0);
    // Whether a directory that does not answer has taken it, nobody knows: it is announced in any case.
    let unknown = next(&pds, &alice).await;
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(submit(unknown).await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(unfinished(&pds).await, 1);
    pds.app.identities.announce_interrupted(pds.clock.now_us()).await.unwrap();
    assert_eq!(unfinished(&pds).await, 1, "its own process may still be at it");
    pds.app.identities.announce_interrupted(i64::MAX).await.unwrap();
    assert_eq!(firehose.next().await.kind, "#identity");
    assert_eq!(unfinished(&pds).await, 0);
});
