//! `com.atproto.repo.listRecords`

use serde_json::json;

use crate::on_both;

on_both!(a_list_has_limits, |pds| async move {
    let alice = pds.person("alice").await;
    for text in ["one", "two"] {
        alice.post(text).await;
    }
    let list = async |limit: &str| {
        let params = [("repo", alice.handle.as_str()), ("collection", "app.bsky.feed.post"), ("limit", limit)];
        pds.query("com.atproto.repo.listRecords", &params).await
    };
    let first = list("1").await.ok();
    assert_eq!((&first["records"][0]["value"]["text"], first["cursor"].is_string()), (&json!("two"), true));
    for limit in ["0", "101", "x"] {
        assert_eq!(list(limit).await.error(), (400, "InvalidRequest"), "{limit}");
    }
});
