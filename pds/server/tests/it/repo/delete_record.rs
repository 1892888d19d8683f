//! `com.atproto.repo.deleteRecord`

use serde_json::json;

use crate::on_both;

on_both!(deleting_what_is_not_there_is_no_error, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let rkey = alice.post("hi").await;
    let input = |repo: &str, rkey: &str| json!({"repo": repo, "collection": "app.bsky.feed.post", "rkey": rkey});
    let delete = async |input| alice.call("com.atproto.repo.deleteRecord", input).await;
    assert_eq!(delete(input(&bob.did, &rkey)).await.error(), (401, "AuthenticationRequired"));
    assert!(delete(input(&alice.did, "3k2a222222222")).await.ok()["commit"].is_null());
    assert!(delete(input(&alice.did, &rkey)).await.ok()["commit"]["cid"].is_string());
    assert_eq!(delete(json!({"repo": alice.did})).await.error(), (400, "InvalidRequest"));
});
