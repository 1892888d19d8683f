//! `com.atproto.server.activateAccount`, and the whole way in before it.

use std::{sync::Arc, sync::atomic::Ordering};

use pds_identity::plc;
use serde_json::{Value, json};

use super::directory::directory;
use crate::{
    harness::{Database, Mover, TestPds},
    on_both,
};

const ACTIVATE: &str = "com.atproto.server.activateAccount";
const SUBMIT: &str = "com.atproto.identity.submitPlcOperation";

/// Moves in, with every wrong step refused.
async fn moves_in(pds: TestPds, directory: Arc<dyn plc::Directory>) {
    // AL-IDN-3, AL-FED-1, AL-ACC-5
    let mover = Mover::new(&*directory).await;
    let alice = pds.person_of(mover.move_in(&pds).await.ok());
    let status = async || alice.query("com.atproto.server.checkAccountStatus", &[]).await.ok();
    let before = status().await;
    assert_eq!((&before["activated"], &before["validDid"]), (&json!(false), &json!(false)));

    let credentials = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    let own = pds.app.keys.rotation.did_key();
    assert_eq!(credentials["alsoKnownAs"], json!(["at://alice.pds.test"]));
    assert_eq!(credentials["rotationKeys"], json!([own]));
    let service = json!({"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://pds.test"}});
    assert_eq!(credentials["services"], service);
    let refused = alice.bare(ACTIVATE).await;
    assert_eq!(refused.body["message"], "Server rotation key not included in PLC DID data");

    let last = directory.last(&mover.did).await.unwrap();
    let submit = async |operation: Value| alice.call(SUBMIT, json!({"operation": operation})).await;
    let changed = |field: &str, value: Value| {
        let mut credentials = credentials.clone();
        credentials[field] = value;
        mover.operation(&last, &credentials)
    };
    let good = mover.operation(&last, &credentials);
    let with = |field: &str, value: Value| {
        let mut operation = good.clone();
        operation[field] = value;
        operation
    };
    let other = json!({"atproto": mover.key.did_key()});
    let elsewhere = json!({"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://elsewhere.org"}});
    for (operation, message) in [
        (changed("rotationKeys", json!([])), "Rotation keys do not include server's rotation key"),
        (
            changed("services", json!({"atproto_pds": {"type": "Other", "endpoint": "https://pds.test"}})),
            "Incorrect type on atproto_pds service",
        ),
        (changed("services", elsewhere), "Incorrect endpoint on atproto_pds service"),
        (changed("verificationMethods", other), "Incorrect signing key"),
        (changed("alsoKnownAs", json!(["at://bob.pds.test"])), "Incorrect handle in alsoKnownAs"),
        (with("prev", json!(1)), "Invalid operation: prev must be a CID or null"),
        (with("rotationKeys", json!("x")), "Invalid operation: rotationKeys must be an array of strings"),
        (with("services", json!([])), "Invalid operation: services must be an object"),
        (with("more", json!(1)), "Invalid operation: more is no field of an operation"),
        (with("type", json!("plc_tombstone")), "Invalid operation: type must be \"plc_operation\""),
    ] {
        let refused = submit(operation).await;
        assert_eq!((refused.error(), refused.body["message"].as_str()), ((400, "InvalidRequest"), Some(message)));
    }
    // By the directory: it is not the next operation.
    let refused = submit(with("prev", json!("bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae"))).await;
    let message = refused.body["message"].as_str().unwrap_or_default();
    assert!(
        refused.status == 400 && message.starts_with("The PLC directory refused the operation"),
        "{}",
        refused.body
    );
    let log = directory.last(&mover.did).await.unwrap();
    assert_eq!(log, last, "nothing was changed");

    let mut firehose = pds.firehose(None).await;
    assert_eq!(submit(good).await.status, 200);
    assert_eq!(firehose.next().await.kind, "#identity");
    assert_eq!(status().await["validDid"], true);
    assert_eq!(alice.bare(ACTIVATE).await.status, 200);
    let kinds: Vec<_> = firehose.take(3).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["#account", "#identity", "#sync"]);
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&session["active"], session.get("status")), (&json!(true), None));
    assert_eq!(session["didDoc"]["service"][0]["serviceEndpoint"], "https://pds.test");
    // Once more: nothing changes, and nothing is announced.
    assert_eq!(alice.bare(ACTIVATE).await.status, 200);
    alice.post("here").await;
    assert_eq!(firehose.next().await.kind, "#commit");
}

on_both!(an_account_moves_in, |pds| async move {
    let directory = pds.directory.clone();
    moves_in(pds, directory).await;
});

#[tokio::test]
async fn an_account_moves_in_with_a_real_directory_on_sqlite() {
    let (_, directory) = directory();
    moves_in(TestPds::on_with_directory(Database::sqlite(), directory.clone()).await, directory).await;
}

#[tokio::test]
async fn an_account_moves_in_with_a_real_directory_on_postgres() {
    let (_, directory) = directory();
    moves_in(TestPds::on_with_directory(Database::postgres().await, directory.clone()).await, directory).await;
}

on_both!(without_the_directory_nothing_changes, |pds| async move {
    // AL-IDN-4
    let mover = Mover::new(&*pds.directory).await;
    let alice = pds.person_of(mover.move_in(&pds).await.ok());
    let credentials = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    let last = plc::Directory::last(&*pds.directory, &mover.did).await.unwrap();
    let operation = mover.operation(&last, &credentials);
    let head = pds_store::event::head(&pds.app.db).await.unwrap();
    pds.directory.away.store(true, Ordering::Relaxed);
    let submitted = alice.call(SUBMIT, json!({"operation": operation})).await;
    assert_eq!(submitted.error(), (503, "ServiceUnavailable"), "{}", submitted.body);
    assert_eq!(alice.bare(ACTIVATE).await.error(), (503, "ServiceUnavailable"));
    pds.directory.away.store(false, Ordering::Relaxed);
    assert_eq!(pds_store::event::head(&pds.app.db).await.unwrap(), head);
    assert_eq!(alice.call(SUBMIT, json!({"operation": operation})).await.status, 200);
    assert_eq!(alice.bare(ACTIVATE).await.status, 200);
});
