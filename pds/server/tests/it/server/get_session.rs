//! `com.atproto.server.getSession`

use serde_json::json;

use crate::on_both;

on_both!(a_session_says_whose_it_is, |pds| async move {
    let alice = pds.person("alice").await;
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!(
        (&session["did"], &session["email"], &session["active"]),
        (&json!(alice.did), &json!("alice@example.com"), &json!(true))
    );
    assert!(session.get("status").is_none() && session.get("accessJwt").is_none(), "{session}");
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let input = json!({"subject": subject, "deactivated": {"applied": true}});
    pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&session["active"], &session["status"]), (&json!(false), &json!("deactivated")));
});
