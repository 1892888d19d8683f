//! `com.atproto.sync.listBlobs`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.sync.listBlobs";

on_both!(only_blobs_of_records_are_listed, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
    let list = async || pds.query(METHOD, &[("did", &alice.did)]).await.ok()["cids"].clone();
    assert_eq!(list().await, json!([]));
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    assert_eq!(list().await, json!([blob["ref"]["$link"]]));
    for params in [&[("did", alice.did.as_str()), ("limit", "1001")][..], &[("limit", "1")]] {
        assert_eq!(pds.query(METHOD, params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
