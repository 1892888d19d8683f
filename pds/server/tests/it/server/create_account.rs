//! `com.atproto.server.createAccount` in its answer; its refusals and moves are in the module above`

use serde_json::json;

use crate::on_both;

on_both!(a_new_account_has_a_session_and_an_identity, |pds| async move {
    let input = json!({
        "handle": "Alice.pds.test", "email": "Alice@example.com", "password": "correct horse", "inviteCode": pds.invite(1).await,
    });
    let made = pds.sign_up(input).await.ok();
    assert_eq!(
        (&made["handle"], &made["email"], &made["active"]),
        (&json!("alice.pds.test"), &json!("alice@example.com"), &json!(true))
    );
    assert!(made["did"].as_str().unwrap().starts_with("did:plc:"));
    pds.person_of(made).post("first").await;
    for missing in ["handle", "email", "password"] {
        let mut input = json!({"handle": "bob.pds.test", "email": "bob@example.com", "password": "x", "inviteCode": pds.invite(1).await});
        input.as_object_mut().unwrap().remove(missing);
        assert_eq!(pds.sign_up(input).await.error(), (400, "InvalidRequest"), "{missing}");
    }
});
