//! `com.atproto.admin.getAccountInfo`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.getAccountInfo";

on_both!(an_account_is_shown_with_its_invites_and_state, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let made =
        pds.admin("com.atproto.server.createInviteCode", json!({"useCount": 2, "forAccount": alice.did})).await.ok();
    let info = pds.admin_query(METHOD, &[("did", &alice.did)]).await.ok();
    assert_eq!((info["did"].as_str(), info["handle"].as_str()), (Some(alice.did.as_str()), Some("alice.pds.test")));
    assert_eq!((info["email"].as_str(), info["invitesDisabled"].as_bool()), (Some("alice@example.com"), Some(false)));
    assert_eq!(info["invites"][0]["code"], made["code"]);
    assert_eq!(info["invites"][0]["available"], 2);
    assert_eq!(info["invitedBy"]["uses"][0]["usedBy"], alice.did);
    assert_eq!(info["invitedBy"]["forAccount"], "admin");
    for absent in ["emailConfirmedAt", "deactivatedAt", "inviteNote"] {
        assert!(info.get(absent).is_none(), "{info}");
    }

    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": bob.did});
    let input = json!({"subject": subject, "deactivated": {"applied": true}, "takedown": {"applied": true}});
    pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
    let info = pds.admin_query(METHOD, &[("did", &bob.did)]).await.ok();
    assert!(info["deactivatedAt"].is_string(), "{info}");

    let missing = pds.admin_query(METHOD, &[("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")]).await;
    assert_eq!((missing.error(), missing.body["message"].as_str()), ((400, "NotFound"), Some("Account not found")));
    for params in [&[][..], &[("did", "nobody")]] {
        assert_eq!(pds.admin_query(METHOD, params).await.error(), (400, "InvalidRequest"));
    }
});
