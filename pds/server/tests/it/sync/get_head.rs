//! `com.atproto.sync.getHead`

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getHead";

on_both!(the_head_is_the_newest_commit, |pds| async move {
    let alice = pds.person("alice").await;
    for _ in 0..2 {
        alice.post("hi").await;
        let head = pds.query(METHOD, &[("did", &alice.did)]).await.ok();
        let commit = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
        assert_eq!(head["root"], commit["cid"]);
    }
    let missing = pds.query(METHOD, &[("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")]).await;
    assert_eq!(missing.error(), (400, "RepoNotFound"));
    assert_eq!(pds.query(METHOD, &[]).await.error(), (400, "InvalidRequest"));
});
