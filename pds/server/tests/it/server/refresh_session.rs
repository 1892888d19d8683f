//! `com.atproto.server.refreshSession`

use serde_json::json;

use crate::on_both;

on_both!(a_refresh_replaces_both_tokens, |pds| async move {
    let alice = pds.person("alice").await;
    let refresh = async |token: &str| alice.with_refresh("com.atproto.server.refreshSession", token).await;
    let next = pds.person_of(refresh(&alice.refresh).await.ok());
    assert!(next.access != alice.access && next.refresh != alice.refresh);
    next.query("com.atproto.server.getSession", &[]).await.ok();
    for token in ["", "no.token.atall", &alice.access] {
        assert_ne!(refresh(token).await.status, 200, "{token}");
    }
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    pds.admin("com.atproto.admin.updateSubjectStatus", json!({"subject": subject, "takedown": {"applied": true}}))
        .await
        .ok();
    assert_eq!(refresh(&next.refresh).await.error(), (401, "AccountTakedown"));
});
