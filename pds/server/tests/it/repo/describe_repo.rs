//! `com.atproto.repo.describeRepo`

use serde_json::json;

use crate::on_both;

on_both!(a_repository_is_described_by_handle_or_did, |pds| async move {
    let alice = pds.person("alice").await;
    alice.post("hi").await;
    for repo in [&alice.did, &alice.handle] {
        let described = pds.query("com.atproto.repo.describeRepo", &[("repo", repo)]).await.ok();
        assert_eq!((&described["did"], &described["handle"]), (&json!(alice.did), &json!(alice.handle)));
        assert_eq!(described["collections"], json!(["app.bsky.feed.post"]));
    }
    assert_eq!(
        pds.query("com.atproto.repo.describeRepo", &[("repo", "no name")]).await.error(),
        (400, "InvalidRequest")
    );
});
