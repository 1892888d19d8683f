//! `com.atproto.identity.*` and the well-known document behind it.

mod get_recommended_did_credentials;
mod refresh_identity;
mod request_plc_operation_signature;
mod resolve_did;
mod resolve_handle;
mod resolve_identity;
mod sign_plc_operation;
mod submit_plc_operation;
mod update_handle;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use pds_identity::plc::Directory;
use serde_json::json;

use crate::{harness::Person, on_both};

on_both!(a_handle_changes_everywhere_or_nowhere, |pds| async move {
    // AL-IDN-2
    let alice = pds.person("alice").await;
    pds.person("bob").await;
    let mut firehose = pds.firehose(None).await;
    let update = |handle: &str| alice.call("com.atproto.identity.updateHandle", json!({"handle": handle}));

    assert_eq!(update("bob.pds.test").await.error(), (400, "HandleNotAvailable"));
    pds.directory.away.store(true, Ordering::Relaxed);
    assert_eq!(update("alicia.pds.test").await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alice.pds.test")]).await.ok()["did"],
        json!(alice.did)
    );

    assert_eq!(update("alicia.pds.test").await.status, 200);
    assert_eq!(firehose.next().await.kind, "#identity");
    let last = pds.directory.log(&alice.did.parse().unwrap()).pop().unwrap();
    assert_eq!(last.operation.also_known_as, ["at://alicia.pds.test"]);
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alicia.pds.test")]).await.ok()["did"],
        json!(alice.did)
    );
    assert_eq!(
        pds.query("com.atproto.identity.resolveHandle", &[("handle", "alice.pds.test")]).await.error(),
        (400, "HandleNotFound")
    );
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alicia.pds.test");
});

on_both!(a_change_survives_its_caller_and_holds_nobody_up, |pds| async move {
    // AL-IDN-2
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let arrived = pds.directory.arrived.load(Ordering::Relaxed);
    let slow = pds.directory.gate.lock().await;
    let caller = alice.clone();
    let request = tokio::spawn(async move {
        caller.call("com.atproto.identity.updateHandle", json!({"handle": "alicia.pds.test"})).await
    });
    while pds.directory.arrived.load(Ordering::Relaxed) == arrived {
        tokio::task::yield_now().await;
    }
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    // While the directory thinks, others write.
    tokio::time::timeout(Duration::from_secs(5), bob.post("meanwhile"))
        .await
        .expect("no write waits for the directory");

    drop(slow);
    let began = Instant::now();
    while pds.query("com.atproto.identity.resolveHandle", &[("handle", "alicia.pds.test")]).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "the change was lost with its caller");
    }
});

on_both!(two_changes_at_once_leave_directory_and_database_agreed, |pds| async move {
    // AL-IDN-2
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let change = |person: &Person, handle: &str| {
        let (person, input) = (person.clone(), json!({"handle": handle}));
        async move { person.call("com.atproto.identity.updateHandle", input).await.status.as_u16() }
    };
    let statuses = tokio::join!(
        change(&alice, "wanted.pds.test"),
        change(&bob, "wanted.pds.test"),
        change(&alice, "spare.pds.test"),
        change(&bob, "other.pds.test")
    );
    let began = Instant::now();
    for person in [&alice, &bob] {
        let did = person.did.parse().unwrap();
        loop {
            let stored = pds_store::account::by_did(&pds.app.db, &did).await.unwrap().unwrap();
            let published = pds.directory.log(&did).pop().unwrap().operation.also_known_as;
            if published == [format!("at://{}", stored.handle)] {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{} but {published:?}: {statuses:?}", stored.handle);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
});

on_both!(a_change_that_was_killed_after_the_directory_took_it_is_undone, |pds| async move {
    // AL-IDN-2
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let id = pds_store::account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    pds_store::account::begin_handle_change(&mut tx, id, 0).await.unwrap();
    tx.commit().await.unwrap();
    let next = Directory::last(&*pds.directory, &did).await.unwrap().with_handle(&"alicia.pds.test".parse().unwrap());
    let next = pds.app.keys.rotation.sign(next).await.unwrap();
    Directory::submit(&*pds.directory, &did, &next).await.unwrap();

    pds.directory.away.store(true, Ordering::Relaxed);
    let now = pds_server::clock::Clock::now_us(&*pds.clock);
    pds.app.handles.finish_interrupted(now).await.unwrap();
    pds.directory.away.store(false, Ordering::Relaxed);
    pds.app.handles.finish_interrupted(now).await.unwrap();
    let last = pds.directory.log(&did).pop().unwrap();
    assert_eq!(last.operation.also_known_as, ["at://alice.pds.test"]);
    assert!(pds_store::account::unfinished_handle_changes(&pds.app.db, now, 9).await.unwrap().is_empty());
    // One that ends as it should leaves nothing behind.
    alice.call("com.atproto.identity.updateHandle", json!({"handle": "alina.pds.test"})).await.ok();
    assert!(pds_store::account::unfinished_handle_changes(&pds.app.db, i64::MAX, 9).await.unwrap().is_empty());
});

on_both!(the_well_known_document_answers_by_host, |pds| async move {
    let alice = pds.person("alice").await;
    let ask = async |host: &str| {
        let answer =
            pds.http.get(format!("{}/.well-known/atproto-did", pds.url)).header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(ask("alice.pds.test").await, (200, alice.did.clone()));
    assert_eq!(ask("nobody.pds.test").await.0, 404);
});

on_both!(another_replica_sees_a_new_handle_at_once, |one| async move {
    // F13
    let two = one.replica().await;
    let alice = one.person("alice").await;
    let there = alice.at(&two.url);
    let describe = async || two.query("com.atproto.repo.describeRepo", &[("repo", &alice.did)]).await.ok();
    assert_eq!(describe().await["handle"], "alice.pds.test");
    there.query("com.atproto.server.getSession", &[]).await.ok();
    for handle in ["alicia.pds.test", "alice.pds.test", "alina.pds.test"] {
        alice.call("com.atproto.identity.updateHandle", json!({"handle": handle})).await.ok();
        let described = describe().await;
        assert_eq!((&described["handle"], &described["handleIsCorrect"]), (&json!(handle), &json!(true)));
        assert_eq!(described["didDoc"]["alsoKnownAs"], json!([format!("at://{handle}")]));
        let session = there.query("com.atproto.server.getSession", &[]).await.ok();
        assert_eq!((&session["handle"], &session["didDoc"]), (&json!(handle), &described["didDoc"]));
        let input = json!({"repo": handle, "collection": "com.example.thing", "record": {}});
        there.call("com.atproto.repo.createRecord", input).await.ok();
    }
});
