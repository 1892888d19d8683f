//! `com.atproto.server.resetPassword`

use serde_json::{Value, json};

use crate::{
    harness::{Answer, TestPds, send},
    on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestPasswordReset";
const RESET: &str = "com.atproto.server.resetPassword";

pub(super) async fn call(pds: &TestPds, method: &str, input: Value) -> Answer {
    send(pds.post(method).json(&input)).await
}

on_both_mailed!(a_mailed_code_sets_a_new_password_and_ends_all_sessions, [], |one, mail| async move {
    // AL-MAIL-4, AL-ACC-4
    let two = one.replica().await;
    let (alice, to) = (mail.person(&one, "alice").await, mail.address("alice"));
    mail.nth(&one, &to, 1).await;
    let laptop = one.person_of(one.log_in(&alice.handle, "correct horse").await.ok());
    assert_eq!(call(&one, REQUEST, json!({"email": to.to_uppercase()})).await.status, 200);
    let mailed = mail.nth(&one, &to, 2).await;
    assert_eq!(mailed.subject, "Reset your password");

    // Refused passwords leave the code good, and others' codes are none.
    let reset = |password: String| call(&one, RESET, json!({"token": mailed.code(), "password": password}));
    for bad in [String::new(), "x".repeat(257)] {
        let refused = reset(bad).await;
        assert_eq!(
            (refused.error(), &refused.body["message"]),
            ((400, "InvalidRequest"), &json!("Invalid password length."))
        );
    }
    let wrong = call(&one, RESET, json!({"token": "AAAAA-AAAAA", "password": "new password"})).await;
    assert_eq!(wrong.error(), (400, "InvalidToken"));
    assert_eq!(reset("new password".into()).await.status, 200);
    assert_eq!(reset("another one".into()).await.error(), (400, "InvalidToken"), "it was used");

    for pds in [&one, &two] {
        for person in [&alice, &laptop] {
            let person = person.at(&pds.url);
            let refresh = "com.atproto.server.refreshSession";
            assert_eq!(person.with_refresh(refresh, &person.refresh).await.error(), (400, "ExpiredToken"));
            let session = person.query("com.atproto.server.getSession", &[]).await;
            assert_eq!(session.error(), (400, "ExpiredToken"));
        }
    }
    assert_eq!(one.log_in(&to, "correct horse").await.error(), (401, "AuthenticationRequired"));
    two.log_in(&to, "new password").await.ok();
});

on_both_mailed!(
    whoever_resets_the_password_gets_in_although_others_have_guessed,
    [("PDS_RATE_LIMITS_ENABLED", "true")],
    |pds, mail| async move {
        // F18
        let (alice, to) = (mail.person(&pds, "alice").await, mail.address("alice"));
        // Mails that are sent at once arrive in any order.
        mail.nth(&pds, &to, 1).await;
        let from = async |address: &str, method: &str, input: Value| {
            send(pds.post(method).header("x-forwarded-for", address).json(&input)).await
        };
        let login = async |address: &str, password: &str| {
            let input = json!({"identifier": alice.handle, "password": password});
            from(address, "com.atproto.server.createSession", input).await
        };
        for n in 0..51 {
            login(&format!("198.51.100.{n}"), "wrong").await;
        }
        assert_eq!(login("203.0.113.9", "correct horse").await.error(), (429, "RateLimitExceeded"));
        from("198.51.100.1", REQUEST, json!({"email": to})).await.ok();
        let code = mail.nth(&pds, &to, 2).await.code();
        from("203.0.113.9", RESET, json!({"token": code, "password": "new password"})).await.ok();
        login("203.0.113.9", "new password").await.ok();
    }
);
