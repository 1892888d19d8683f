//! `com.atproto.sync.getBlocks`

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getBlocks";

on_both!(at_least_one_block_is_asked_for, |pds| async move {
    let alice = pds.person("alice").await;
    let head = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok()["cid"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = pds.get(METHOD).query(&[("did", &alice.did), ("cids", &head)]).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.ipld.car");
    for params in
        [&[("did", alice.did.as_str())][..], &[("cids", head.as_str())], &[("did", &alice.did), ("cids", "no cid")]]
    {
        assert_eq!(pds.query(METHOD, params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
