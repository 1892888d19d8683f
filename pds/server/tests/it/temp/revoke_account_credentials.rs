//! `com.atproto.temp.revokeAccountCredentials`

use serde_json::json;

use crate::on_both;

const METHOD: &str = "com.atproto.temp.revokeAccountCredentials";

on_both!(nobody_gets_in_until_there_is_a_new_password, |pds| async move {
    let (alice, other) = (pds.person("alice").await, pds.replica().await);
    let app_password = alice.app_password("client", true).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    pds.admin(METHOD, json!({"account": "alice.pds.test"})).await.ok();
    for person in [&alice, &client] {
        let at = person.at(&other.url);
        assert_eq!(at.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));
        let refreshed = at.with_refresh("com.atproto.server.refreshSession", &person.refresh).await;
        assert_eq!(refreshed.error(), (400, "ExpiredToken"));
    }
    for password in ["correct horse", &app_password, ""] {
        assert_eq!(pds.log_in("alice.pds.test", password).await.error(), (401, "AuthenticationRequired"));
    }
    let input = json!({"did": alice.did, "password": "battery staple"});
    pds.admin("com.atproto.admin.updateAccountPassword", input).await.ok();
    let alice = pds.person_of(pds.log_in("alice.pds.test", "battery staple").await.ok());
    assert_eq!(alice.query("com.atproto.server.listAppPasswords", &[]).await.ok()["passwords"], json!([]));
    let missing = pds.admin(METHOD, json!({"account": "nobody.pds.test"})).await;
    assert_eq!(missing.body["message"], "Account does not exist: nobody.pds.test");
});
