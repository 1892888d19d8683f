//! Records with many references to blobs: each is a row, which others wait for.

use std::collections::BTreeMap;

use pds_repo::Cid;
use serde_json::{Value, json};

use super::{THING, elsewhere, import, latest, records_of};
use crate::on_both;

/// A record that refers to blobs that nobody has uploaded yet.
fn record(from: usize, count: usize) -> Value {
    let blob = |n: usize| {
        let cid = Cid::raw(&n.to_be_bytes()).to_string();
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "text/plain", "size": 8})
    };
    json!({"$type": THING, "blobs": (from..from + count).map(blob).collect::<Vec<_>>()})
}

fn records(count: usize, value: &Value) -> BTreeMap<String, Value> {
    (0..count).map(|n| (format!("{THING}/{n:05}"), value.clone())).collect()
}

fn delete(n: usize) -> Value {
    json!({"$type": "com.atproto.repo.applyWrites#delete", "collection": THING, "rkey": format!("{n:05}")})
}

on_both!(an_import_may_bring_many_references_and_replace_few, |pds| async move {
    // SWAP-REFS, STAGE-REFS
    let alice = pds.person("alice").await;
    let many = elsewhere(&alice.did, &records(12, &record(0, 1_000)));
    import(&pds, &alice, many).await.ok();
    assert_eq!(records_of(&alice).await.len(), 12);
    let before = latest(&pds, &alice).await;
    // What is there has too many, or what comes has.
    let plain = elsewhere(&alice.did, &records(12, &json!({"$type": THING})));
    let refused = import(&pds, &alice, plain).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("more than 1000 records") && message.contains("reference to a blob"), "{message}");
    assert_eq!(latest(&pds, &alice).await, before);

    let bob = pds.person("bob").await;
    import(&pds, &bob, elsewhere(&bob.did, &records(10, &json!({"$type": THING})))).await.ok();
    let before = latest(&pds, &bob).await;
    assert_eq!(import(&pds, &bob, elsewhere(&bob.did, &records(10, &record(0, 100)))).await.status, 400);
    assert_eq!(latest(&pds, &bob).await, before);
    import(&pds, &bob, elsewhere(&bob.did, &records(10, &record(0, 99)))).await.ok();
    assert_ne!(latest(&pds, &bob).await, before);
});

on_both!(a_commit_of_several_records_removes_few_references, |pds| async move {
    // DEL-REFS
    let alice = pds.person("alice").await;
    import(&pds, &alice, elsewhere(&alice.did, &records(6, &record(0, 1_000)))).await.ok();
    let apply = async |writes: Vec<Value>| {
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await
    };
    let refused = apply((0..3).map(delete).collect()).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    let message =
        "Too many references to blobs: the writes add and remove 3000. Max in one commit of several records: 2000";
    assert_eq!(refused.body["message"], message);
    apply((0..2).map(delete).collect()).await.ok();
    // What replaces counts, too.
    let update =
        json!({"$type": "com.atproto.repo.applyWrites#update", "collection": THING, "rkey": "00002", "value": {}});
    let many: Vec<_> = [update.clone(), delete(3), delete(4)].into();
    assert_eq!(apply(many).await.body["message"], message);
    apply(vec![update, delete(3)]).await.ok();
    let input = json!({"repo": alice.did, "collection": THING, "rkey": "00004"});
    alice.call("com.atproto.repo.deleteRecord", input).await.ok();
    assert_eq!(records_of(&alice).await.len(), 2);
});
