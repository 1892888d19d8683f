//! `com.atproto.admin.updateSubjectStatus` in its inputs; what a takedown does is in `subject_status`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.updateSubjectStatus";

on_both!(subjects_that_make_no_sense_are_refused, |pds| async move {
    let alice = pds.person("alice").await;
    let account = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let both = json!({"subject": account, "takedown": {"applied": true}, "deactivated": {"applied": false}});
    let refused = pds.admin(METHOD, both).await;
    assert_eq!(refused.body["message"], "Cannot activate and takedown an account at the same time");
    let record = json!({"$type": "com.atproto.repo.strongRef", "uri": format!("at://{}/a.b.c/d", alice.did), "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"});
    for input in [
        json!({}),
        json!({"subject": {"$type": "com.example.other"}}),
        json!({"subject": record}),
        json!({"subject": record, "deactivated": {"applied": true}}),
        json!({"subject": account, "takedown": {}}),
    ] {
        assert_eq!(pds.admin(METHOD, input.clone()).await.error(), (400, "InvalidRequest"), "{input}");
    }
    let unknown = json!({"subject": record, "takedown": {"applied": true}});
    assert_eq!(pds.admin(METHOD, unknown).await.error(), (400, "NotFound"));
    let done = pds.admin(METHOD, json!({"subject": account, "takedown": {"applied": false}})).await.ok();
    assert_eq!(done, json!({"subject": account, "takedown": {"applied": false}}));
});
