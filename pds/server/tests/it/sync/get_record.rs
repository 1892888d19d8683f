//! `com.atproto.sync.getRecord`

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getRecord";

on_both!(a_proof_needs_a_whole_path, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hi").await;
    let all = [("did", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", rkey.as_str())];
    let answer = pds.get(METHOD).query(&all).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.ipld.car");
    for n in 0..3 {
        let mut params = all.to_vec();
        params.remove(n);
        assert_eq!(pds.query(METHOD, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
    let nobody = [("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), all[1], all[2]];
    assert_eq!(pds.query(METHOD, &nobody).await.error(), (400, "RepoNotFound"));
});
