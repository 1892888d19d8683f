//! `com.atproto.admin.deleteAccount`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.deleteAccount";

on_both!(a_deleted_account_is_gone_for_everybody_and_its_names_are_free, |pds| async move {
    // AL-LIFE-1
    let alice = pds.person("alice").await;
    let mut firehose = pds.firehose(None).await;
    pds.admin(METHOD, json!({"did": alice.did})).await.ok();
    let event = firehose.next().await;
    assert_eq!(event.kind, "#account");
    assert!(event.bytes.windows(7).any(|bytes| bytes == b"deleted"));

    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.status, 400);
    assert_eq!(pds.log_in(&alice.did, "correct horse").await.error(), (401, "AuthenticationRequired"));
    assert_eq!(
        pds.query("com.atproto.sync.getRepoStatus", &[("did", &alice.did)]).await.error(),
        (400, "RepoNotFound")
    );
    let info = pds.admin_query("com.atproto.admin.getAccountInfo", &[("did", &alice.did)]).await;
    assert_eq!(info.error(), (400, "NotFound"));
    assert_eq!(pds.admin(METHOD, json!({"did": alice.did})).await.error(), (400, "NotFound"));
    let again = pds.person("alice").await;
    assert_ne!(again.did, alice.did);
    assert_eq!(pds.admin(METHOD, json!({"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"})).await.error(), (400, "NotFound"));
    assert_eq!(pds.admin(METHOD, json!({})).await.error(), (400, "InvalidRequest"));
});
