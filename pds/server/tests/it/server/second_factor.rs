//! Signing in with a mailed code.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Answer, Mailpit, Person, TestPds, send},
    on_both_mailed,
};

const UPDATE: &str = "com.atproto.server.updateEmail";

async fn log_in(pds: &TestPds, person: &Person, password: &str, code: Option<&str>) -> Answer {
    let mut input = json!({"identifier": person.handle, "password": password});
    if let Some(code) = code {
        input["authFactorToken"] = json!(code);
    }
    send(pds.post("com.atproto.server.createSession").json(&input)).await
}

async fn factor(person: &Person) -> Value {
    person.query("com.atproto.server.getSession", &[]).await.ok()["emailAuthFactor"].clone()
}

/// Somebody whose sign-ins need a code. One mail has come.
async fn protected(pds: &TestPds, mail: &Mailpit) -> Person {
    let (alice, email) = (mail.person(pds, "alice").await, mail.address("alice"));
    assert_eq!(factor(&alice).await, false);
    let early = alice.call(UPDATE, json!({"email": email, "emailAuthFactor": true})).await;
    assert_eq!(early.error(), (400, "InvalidRequest"), "an address that nobody may read protects nothing");
    let code = mail.nth(pds, &email, 1).await.code();
    let confirm = json!({"email": email, "token": code});
    assert_eq!(alice.call("com.atproto.server.confirmEmail", confirm).await.status, 200);
    assert_eq!(alice.call(UPDATE, json!({"email": email, "emailAuthFactor": true})).await.status, 200);
    let session = alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!((&session["emailAuthFactor"], &session["emailConfirmed"]), (&json!(true), &json!(true)));
    alice
}

on_both_mailed!(a_sign_in_needs_the_mailed_code, [], |pds, mail| async move {
    let (alice, to) = (protected(&pds, &mail).await, mail.address("alice"));
    // A wrong password says nothing of a code, and mails none.
    assert_eq!(log_in(&pds, &alice, "wrong", None).await.error(), (401, "AuthenticationRequired"));
    let asked = log_in(&pds, &alice, "correct horse", None).await;
    assert_eq!(asked.error(), (401, "AuthFactorTokenRequired"));
    let mailed = mail.nth(&pds, &to, 2).await;
    assert_eq!(mailed.subject, "Your sign-in code");

    let wrong = log_in(&pds, &alice, "correct horse", Some("AAAAA-AAAAA")).await;
    assert_eq!((wrong.error(), &wrong.body["message"]), ((400, "InvalidToken"), &json!("Token is invalid")));
    assert_eq!(log_in(&pds, &alice, "wrong", Some(&mailed.code())).await.error(), (401, "AuthenticationRequired"));
    let session = log_in(&pds, &alice, "correct horse", Some(&mailed.code())).await.ok();
    assert_eq!(session["emailAuthFactor"], true);
    assert_eq!(log_in(&pds, &alice, "correct horse", Some(&mailed.code())).await.error(), (400, "InvalidToken"));

    // Sessions that are open go on.
    alice.with_refresh("com.atproto.server.refreshSession", &alice.refresh).await.ok();
    log_in(&pds, &alice, "correct horse", None).await;
    let late = mail.nth(&pds, &to, 3).await.code();
    pds.clock.forward(Duration::from_secs(16 * 60));
    assert_eq!(log_in(&pds, &alice, "correct horse", Some(&late)).await.error(), (400, "ExpiredToken"));
});

on_both_mailed!(the_factor_is_switched_off_with_a_code_alone, [], |pds, mail| async move {
    let (alice, to) = (protected(&pds, &mail).await, mail.address("alice"));
    let off = |code: Option<&str>| {
        let mut input = json!({"email": to, "emailAuthFactor": false});
        if let Some(code) = code {
            input["token"] = json!(code);
        }
        alice.call(UPDATE, input)
    };
    assert_eq!(off(None).await.error(), (400, "TokenRequired"));
    assert_eq!(alice.bare("com.atproto.server.requestEmailUpdate").await.ok()["tokenRequired"], true);
    let code = mail.nth(&pds, &to, 2).await.code();
    // Another field of the same call does not switch it off by the way.
    assert_eq!(alice.call(UPDATE, json!({"email": to})).await.status, 200);
    assert_eq!(factor(&alice).await, true);
    assert_eq!(off(Some(&code)).await.status, 200);
    assert_eq!(factor(&alice).await, false);
    log_in(&pds, &alice, "correct horse", None).await.ok();
});
