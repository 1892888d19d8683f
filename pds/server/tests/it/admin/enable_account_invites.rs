//! `com.atproto.admin.enableAccountInvites`; what it changes is seen in `disable_account_invites`.

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.enableAccountInvites";

on_both!(enabling_what_is_enabled_changes_nothing_but_the_note, |pds| async move {
    let alice = pds.person("alice").await;
    for note in [json!({"account": alice.did}), json!({"account": alice.did, "note": "asked for it"})] {
        pds.admin(METHOD, note).await.ok();
    }
    let info = pds.admin_query("com.atproto.admin.getAccountInfo", &[("did", &alice.did)]).await.ok();
    assert_eq!((info["invitesDisabled"].as_bool(), info["inviteNote"].as_str()), (Some(false), Some("asked for it")));
    let missing = pds.admin(METHOD, json!({"account": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"})).await;
    assert_eq!(missing.error(), (400, "NotFound"));
    assert_eq!(pds.admin(METHOD, json!({})).await.error(), (400, "InvalidRequest"));
});
