//! `com.atproto.server.revokeAppPassword`

use serde_json::json;

use crate::on_both;

const REVOKE: &str = "com.atproto.server.revokeAppPassword";

on_both!(revoking_an_app_password_ends_its_sessions_at_once_everywhere, |pds| async move {
    // AL-APP-1
    let (alice, other) = (pds.person("alice").await, pds.replica().await);
    let (phone, desktop) = (alice.app_password("phone", false).await, alice.app_password("desktop", false).await);
    let log_in = async |password: &str| pds.person_of(pds.log_in("alice.pds.test", password).await.ok());
    let (first, second, kept) = (log_in(&phone).await, log_in(&phone).await, log_in(&desktop).await);
    let refreshed = first.with_refresh("com.atproto.server.refreshSession", &first.refresh).await.ok();
    let refreshed = pds.person_of(refreshed);

    alice.call(REVOKE, json!({"name": "phone"})).await.ok();

    for person in [&first, &second, &refreshed] {
        for url in [&pds.url, &other.url] {
            let at = person.at(url);
            assert_eq!(at.query("com.atproto.server.getSession", &[]).await.error(), (400, "ExpiredToken"));
            let again = at.with_refresh("com.atproto.server.refreshSession", &person.refresh).await;
            assert_eq!(again.error(), (400, "ExpiredToken"), "{}", again.body);
        }
    }
    assert_eq!(pds.log_in("alice.pds.test", &phone).await.error(), (401, "AuthenticationRequired"));
    for person in [&alice, &kept] {
        person.at(&other.url).query("com.atproto.server.getSession", &[]).await.ok();
    }
    let listed = alice.query("com.atproto.server.listAppPasswords", &[]).await.ok();
    assert_eq!(listed["passwords"][0]["name"], "desktop");
    assert_eq!(listed["passwords"].as_array().unwrap().len(), 1);
    // Again, and one that never was: nothing to do.
    for name in ["phone", "never"] {
        assert_eq!(alice.call(REVOKE, json!({"name": name})).await.status, 200);
    }
    // A new one of the same name is another one.
    let phone = alice.app_password("phone", true).await;
    pds.log_in("alice.pds.test", &phone).await.ok();
});
