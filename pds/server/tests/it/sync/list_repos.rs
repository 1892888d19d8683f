//! `com.atproto.sync.listRepos`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.sync.listRepos";

on_both!(a_list_of_repositories_has_limits, |pds| async move {
    let alice = pds.person("alice").await;
    let page = pds.query(METHOD, &[("limit", "1")]).await.ok();
    assert_eq!((&page["repos"][0]["did"], &page["repos"][0]["active"]), (&json!(alice.did), &json!(true)));
    for params in [[("limit", "0")], [("limit", "1001")], [("cursor", "x")]] {
        assert_eq!(pds.query(METHOD, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
