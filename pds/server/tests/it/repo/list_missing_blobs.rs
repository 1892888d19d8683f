//! `com.atproto.repo.listMissingBlobs`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.repo.listMissingBlobs";

on_both!(an_account_without_imports_misses_nothing, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    assert_eq!(alice.query(METHOD, &[("limit", "1")]).await.ok()["blobs"], json!([]));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (401, "AuthMissing"));
    for limit in ["0", "1001", "many"] {
        assert_eq!(alice.query(METHOD, &[("limit", limit)]).await.error(), (400, "InvalidRequest"), "{limit}");
    }
});
