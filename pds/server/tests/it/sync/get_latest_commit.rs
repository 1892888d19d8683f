//! `com.atproto.sync.getLatestCommit`

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getLatestCommit";

on_both!(a_commit_follows_each_write, |pds| async move {
    let alice = pds.person("alice").await;
    let latest = async || pds.query(METHOD, &[("did", &alice.did)]).await.ok();
    let before = latest().await;
    alice.post("hi").await;
    let after = latest().await;
    assert!(before["rev"].as_str() < after["rev"].as_str() && before["cid"] != after["cid"], "{before} {after}");
    assert_eq!(pds.query(METHOD, &[("did", "alice.pds.test")]).await.error(), (400, "InvalidRequest"));
});
