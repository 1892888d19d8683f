//! `com.atproto.identity.updateHandle` in its rules; how it changes is in the module above`

use serde_json::json;

use crate::on_both;

on_both!(handles_of_this_host_have_rules, |pds| async move {
    let alice = pds.person("alice").await;
    for (handle, error) in [
        ("ab.pds.test", "InvalidHandle"),
        ("nineteen-characters.pds.test", "InvalidHandle"),
        ("a.b.pds.test", "InvalidHandle"),
        ("admin.pds.test", "HandleNotAvailable"),
        ("postmaster.pds.test", "HandleNotAvailable"),
        ("elsewhere.invalid", "InvalidHandle"),
    ] {
        let refused = alice.call("com.atproto.identity.updateHandle", json!({"handle": handle})).await;
        assert_eq!(refused.error(), (400, error), "{handle}: {}", refused.body);
    }
    let app_password = alice.app_password("client", false).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    client.call("com.atproto.identity.updateHandle", json!({"handle": "Eighteen-Chars-Lon.pds.test"})).await.ok();
    assert_eq!(client.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "eighteen-chars-lon.pds.test");
});
