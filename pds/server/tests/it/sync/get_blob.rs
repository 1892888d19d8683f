//! `com.atproto.sync.getBlob`.

use pds_store::account;
use serde_json::json;

use crate::{harness::ADMIN_PASSWORD, on_both};

on_both!(shared_caches_keep_only_what_everybody_may_see, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    let params = [("did", alice.did.as_str()), ("cid", blob["ref"]["$link"].as_str().unwrap())];
    let get = || pds.get("com.atproto.sync.getBlob").query(&params);
    let cache = |answer: reqwest::Response| answer.headers()["cache-control"].to_str().unwrap().to_owned();
    assert!(cache(get().send().await.unwrap()).starts_with("public"));

    let did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, id, Some(1), None).await.unwrap();
    tx.commit().await.unwrap();
    pds.app.accounts.forget(&did).await;
    assert_eq!(pds.query("com.atproto.sync.getBlob", &params).await.error(), (400, "RepoDeactivated"));
    for request in [get().bearer_auth(&alice.access), get().basic_auth("admin", Some(ADMIN_PASSWORD))] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(cache(answer).starts_with("private"));
    }
});
