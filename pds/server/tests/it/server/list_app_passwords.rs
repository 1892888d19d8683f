//! `com.atproto.server.listAppPasswords`

use std::time::Duration;

use serde_json::json;

use crate::on_both;

on_both!(app_passwords_are_listed_newest_first_without_the_password, |pds| async move {
    // AL-APP-1
    let alice = pds.person("alice").await;
    pds.person("bob").await.app_password("of somebody else", false).await;
    let list = async || alice.query("com.atproto.server.listAppPasswords", &[]).await.ok()["passwords"].clone();
    assert_eq!(list().await, json!([]));
    let mut passwords = Vec::new();
    for (name, privileged) in [("first", false), ("second", true)] {
        passwords.push(alice.app_password(name, privileged).await);
        pds.clock.forward(Duration::from_secs(60));
    }
    let listed = list().await;
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| (&one["name"], &one["privileged"])).collect();
    assert_eq!(names, [(&json!("second"), &json!(true)), (&json!("first"), &json!(false))]);
    for one in listed.as_array().unwrap() {
        assert!(one["createdAt"].is_string() && one.get("password").is_none(), "{one}");
    }
    assert!(passwords.iter().all(|password| !listed.to_string().contains(password)));
});
