//! `com.atproto.sync.getRepoStatus`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.sync.getRepoStatus";

on_both!(the_status_follows_the_account, |pds| async move {
    let alice = pds.person("alice").await;
    let status = async || pds.query(METHOD, &[("did", &alice.did)]).await.ok();
    let active = status().await;
    assert_eq!((&active["active"], active["rev"].is_string()), (&json!(true), true));
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    for (change, expected) in [
        (json!({"deactivated": {"applied": true}}), "deactivated"),
        (json!({"takedown": {"applied": true}}), "takendown"),
    ] {
        let mut input = json!({"subject": subject});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
        let status = status().await;
        assert_eq!((&status["active"], &status["status"]), (&json!(false), &json!(expected)));
    }
});
