//! `com.atproto.admin.updateAccountPassword`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.admin.updateAccountPassword";

on_both!(a_new_password_ends_sessions_on_every_replica_and_app_passwords_stay, |pds| async move {
    // AL-ACC-4
    let (alice, other) = (pds.person("alice").await, pds.replica().await);
    let app_password = alice.app_password("client", false).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    pds.admin(METHOD, json!({"did": alice.did, "password": "battery staple"})).await.ok();
    for person in [&alice, &client] {
        let at = person.at(&other.url);
        assert_eq!(at.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));
        let refreshed = at.with_refresh("com.atproto.server.refreshSession", &person.refresh).await;
        assert_eq!(refreshed.error(), (400, "ExpiredToken"));
    }
    assert_eq!(pds.log_in("alice.pds.test", "correct horse").await.error(), (401, "AuthenticationRequired"));
    pds.log_in("alice.pds.test", "battery staple").await.ok();
    pds.log_in("alice.pds.test", &app_password).await.ok();

    for password in [String::new(), "x".repeat(257)] {
        let refused = pds.admin(METHOD, json!({"did": alice.did, "password": password})).await;
        assert_eq!(
            (refused.error(), refused.body["message"].as_str()),
            ((400, "InvalidRequest"), Some("Invalid password length."))
        );
    }
    let input = json!({"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "password": "battery staple"});
    assert_eq!(pds.admin(METHOD, input).await.error(), (400, "NotFound"));
});
