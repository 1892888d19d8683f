//! `com.atproto.admin.getSubjectStatus`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.getSubjectStatus";

on_both!(a_subject_is_named_by_did_uri_or_blob, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hi").await;
    let uri = format!("at://{}/app.bsky.feed.post/{rkey}", alice.did);
    let whole = pds.admin_query(METHOD, &[("did", &alice.did)]).await.ok();
    assert_eq!((&whole["takedown"], &whole["deactivated"]), (&json!({"applied": false}), &json!({"applied": false})));
    let record = pds.admin_query(METHOD, &[("uri", &uri)]).await.ok();
    assert_eq!(record["subject"]["$type"], "com.atproto.repo.strongRef");
    for (params, message) in [
        (&[][..], "No provided subject"),
        (
            &[("blob", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")],
            "Must provide a did to request blob state",
        ),
    ] {
        let refused = pds.admin_query(METHOD, params).await;
        assert_eq!((refused.error(), refused.body["message"].as_str()), ((400, "InvalidRequest"), Some(message)));
    }
    let missing = pds.admin_query(METHOD, &[("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")]).await;
    assert_eq!((missing.error(), missing.body["message"].as_str()), ((400, "NotFound"), Some("Subject not found")));
});
