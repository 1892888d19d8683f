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

on_both!(a_commit_of_several_records_adds_few_references_to_blobs, |pds| async move {
    // REFW
    let alice = pds.person("alice").await;
    let mut blobs = Vec::new();
    for n in 0..11u8 {
        blobs.push(alice.upload(vec![n; 10], "text/plain").await.ok()["blob"].clone());
    }
    let create = |rkey: usize| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "rkey": format!("{rkey}"), "value": {"blobs": blobs}});
    let delete = |rkey: usize| json!({"$type": "com.atproto.repo.applyWrites#delete", "collection": "com.example.thing", "rkey": format!("{rkey}")});
    let apply = async |writes: Vec<serde_json::Value>| {
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await
    };
    let refused = apply((0..200).map(create).collect()).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    let message =
        "Too many references to blobs: the writes add and remove 2200. Max in one commit of several records: 2000";
    assert_eq!(refused.body["message"], message);
    apply((0..180).map(create).collect()).await.ok();
    apply((0..180).map(delete).collect()).await.ok();
    // One record with its blobs is no matter.
    let one = alice.create("com.example.thing", json!({"blobs": blobs})).await.ok();
    let rkey = one["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let input = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": rkey});
    alice.call("com.atproto.repo.deleteRecord", input).await.ok();
});
