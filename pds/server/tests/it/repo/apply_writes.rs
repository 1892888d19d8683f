//! `com.atproto.repo.applyWrites`

use serde_json::json;

use crate::on_both;

on_both!(each_write_is_checked, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let create =
        json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "value": {}});
    let apply =
        |repo: &str, writes| alice.call("com.atproto.repo.applyWrites", json!({"repo": repo, "writes": writes}));
    let done = apply(&alice.did, json!([create, create])).await.ok();
    assert_eq!(done["results"][1]["$type"], "com.atproto.repo.applyWrites#createResult");
    assert!(done["commit"]["rev"].is_string());
    assert_eq!(apply(&bob.did, json!([create])).await.error(), (401, "AuthenticationRequired"));
    for writes in [
        json!({}),
        json!([{}]),
        json!([{"$type": "com.example.other"}]),
        json!([{"$type": "com.atproto.repo.applyWrites#create"}]),
    ] {
        assert_eq!(apply(&alice.did, writes.clone()).await.error(), (400, "InvalidRequest"), "{writes}");
    }
});
