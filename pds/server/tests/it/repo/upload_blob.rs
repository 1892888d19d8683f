//! `com.atproto.repo.uploadBlob`, and what a record may say about a blob.

use pds_store::account;
use serde_json::json;

use crate::on_both;

on_both!(a_record_must_say_of_a_blob_what_is_true, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"\x89PNG\r\n\x1a\n rest of a picture".to_vec(), "image/png").await.ok()["blob"].clone();
    let with = |field: &str, value: serde_json::Value| {
        let mut changed = blob.clone();
        changed[field] = value;
        alice.create("com.example.picture", json!({"picture": changed}))
    };
    assert_eq!(with("mimeType", json!("image/jpeg")).await.error(), (400, "InvalidMimeType"));
    assert_eq!(with("size", json!(1)).await.error(), (400, "InvalidSize"));
    alice.create("com.example.picture", json!({"picture": blob})).await.ok();
});

on_both!(a_deactivated_account_uploads_but_does_not_write, |pds| async move {
    // Moving to this host is: account, repository, blobs, and only then activation.
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, id, Some(1), None).await.unwrap();
    tx.commit().await.unwrap();
    pds.app.accounts.forget(&did).await;

    alice.upload(b"bytes".to_vec(), "text/plain").await.ok();
    assert_eq!(alice.create("com.example.thing", json!({})).await.error(), (401, "AccountDeactivated"));

    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_takedown(&mut tx, id, Some("case 1")).await.unwrap();
    tx.commit().await.unwrap();
    pds.app.accounts.forget(&did).await;
    assert_eq!(alice.upload(b"bytes".to_vec(), "text/plain").await.error(), (401, "AccountTakedown"));
});
