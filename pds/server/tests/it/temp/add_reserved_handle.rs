//! `com.atproto.temp.addReservedHandle`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.temp.addReservedHandle";

on_both!(nobody_gets_a_reserved_handle_and_who_has_it_keeps_it, |pds| async move {
    let (alice, other) = (pds.person("alice").await, pds.replica().await);
    for handle in ["Mascot", "jingle.pds.test", "alice", "mascot"] {
        pds.admin(METHOD, json!({"handle": handle})).await.ok();
    }
    for handle in ["mascot.pds.test", "jingle.pds.test"] {
        let renamed = alice.at(&other.url).call("com.atproto.identity.updateHandle", json!({"handle": handle})).await;
        assert_eq!(
            (renamed.error(), renamed.body["message"].as_str()),
            ((400, "HandleNotAvailable"), Some("Reserved handle"))
        );
        let input = json!({
            "handle": handle, "email": "bob@example.com", "password": "correct horse", "inviteCode": pds.invite(1).await,
        });
        assert_eq!(pds.sign_up(input).await.error(), (400, "HandleNotAvailable"));
    }
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alice.pds.test");
    for handle in ["", "a.b.pds.test", "elsewhere.example.com", "no label", "-x"] {
        assert_eq!(pds.admin(METHOD, json!({"handle": handle})).await.error(), (400, "InvalidRequest"), "{handle}");
    }
});
