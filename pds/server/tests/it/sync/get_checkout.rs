//! `com.atproto.sync.getCheckout`

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getCheckout";

on_both!(a_checkout_is_the_whole_repository, |pds| async move {
    let alice = pds.person("alice").await;
    alice.post("hi").await;
    let answer = pds.get(METHOD).query(&[("did", &alice.did)]).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.ipld.car");
    assert_eq!(answer.bytes().await.unwrap(), alice.car().await);
    let missing = pds.query(METHOD, &[("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")]).await;
    assert_eq!(missing.error(), (400, "RepoNotFound"));
});
