//! `com.atproto.server.checkAccountStatus`

use serde_json::json;

use crate::{harness::send, on_both};

const METHOD: &str = "com.atproto.server.checkAccountStatus";

on_both!(everything_is_counted, |pds| async move {
    let alice = pds.person("alice").await;
    let fresh = alice.query(METHOD, &[]).await.ok();
    let head = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
    let wanted = json!({
        "activated": true, "validDid": true, "repoCommit": head["cid"], "repoRev": head["rev"], "repoBlocks": 2,
        "indexedRecords": 0, "privateStateValues": 0, "expectedBlobs": 0, "importedBlobs": 0,
    });
    assert_eq!(fresh, wanted);

    for n in 0..30 {
        alice.post(&format!("post {n}")).await;
    }
    let picture = alice.upload(b"a picture".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.upload(b"another".to_vec(), "text/plain").await.ok();
    for n in 0..2 {
        alice.create("com.example.thing", json!({"n": n, "picture": picture})).await.ok();
    }
    let full = alice.query(METHOD, &[]).await.ok();
    assert_eq!(
        (&full["indexedRecords"], &full["expectedBlobs"], &full["importedBlobs"]),
        (&json!(32), &json!(1), &json!(2))
    );
    // As many as an export has.
    let car = alice.car().await;
    assert_eq!(full["repoBlocks"], json!(pds_repo::car::Reader::new(&car).unwrap().count()));
    assert_eq!(alice.query(METHOD, &[]).await.ok(), full);
    assert_eq!(pds.query(METHOD, &[]).await.error(), (401, "AuthMissing"));
});

on_both!(a_document_that_names_another_host_is_not_valid, |pds| async move {
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let last = pds_identity::plc::Directory::last(&*pds.directory, &did).await.unwrap();
    let mut next = last.next();
    next.services.get_mut("atproto_pds").unwrap().endpoint = "https://elsewhere.org".to_owned();
    let next = pds.app.keys.rotation.sign(next).await.unwrap();
    pds_identity::plc::Directory::submit(&*pds.directory, &did, &next).await.unwrap();
    let status = alice.query(METHOD, &[]).await.ok();
    assert_eq!((&status["activated"], &status["validDid"]), (&json!(true), &json!(false)));
    let status = send(pds.get(METHOD).bearer_auth("nonsense")).await;
    assert_eq!(status.error(), (400, "InvalidToken"));
});
