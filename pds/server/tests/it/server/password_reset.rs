//! `com.atproto.server.requestPasswordReset` and `resetPassword`.

use serde_json::{Value, json};

use crate::{
    harness::{Answer, Database, Mailpit, TestPds, send},
    on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestPasswordReset";
const RESET: &str = "com.atproto.server.resetPassword";

async fn call(pds: &TestPds, method: &str, input: Value) -> Answer {
    send(pds.post(method).json(&input)).await
}

async fn log_in(pds: &TestPds, identifier: &str, password: &str) -> Answer {
    call(pds, "com.atproto.server.createSession", json!({"identifier": identifier, "password": password})).await
}

on_both_mailed!(a_mailed_code_sets_a_new_password_and_ends_all_sessions, [], |one, mail| async move {
    // AL-MAIL-4, AL-ACC-4
    let two = one.replica().await;
    let (alice, to) = (mail.person(&one, "alice").await, mail.address("alice"));
    mail.nth(&one, &to, 1).await;
    let laptop = one.person_of(log_in(&one, &alice.handle, "correct horse").await.ok());
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
    assert_eq!(log_in(&one, &to, "correct horse").await.error(), (401, "AuthenticationRequired"));
    log_in(&two, &to, "new password").await.ok();
});

on_both_mailed!(nobody_learns_who_has_an_account, [], |pds, mail| async move {
    // AL-MAIL-4: the answer is there before anybody has looked, so that its time says nothing either.
    let to = mail.address("alice");
    mail.person(&pds, "alice").await;
    mail.nth(&pds, &to, 1).await;
    let (known, unknown) = (
        call(&pds, REQUEST, json!({"email": to})).await,
        call(&pds, REQUEST, json!({"email": mail.address("nobody")})).await,
    );
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));
    mail.nth(&pds, &to, 2).await;
    assert!(mail.mails(&mail.address("nobody")).await.is_empty());
    assert_eq!(call(&pds, REQUEST, json!({"email": "nonsense"})).await.status, 200);
});

#[tokio::test]
async fn nobodys_mailbox_is_filled() {
    let mail = Mailpit::shared();
    let pds = TestPds::mailed(Database::sqlite(), &mail, &[("PDS_RATE_LIMITS_ENABLED", "true")]).await;
    let to = mail.address("alice");
    mail.person(&pds, "alice").await;
    let ask = |address: String| {
        let request = pds.post(REQUEST).header("x-forwarded-for", address).json(&json!({"email": to}));
        async move { send(request).await }
    };
    // From one address.
    for _ in 0..15 {
        assert_eq!(ask("192.0.2.1".into()).await.status, 200);
    }
    assert_eq!(ask("192.0.2.1".into()).await.error(), (429, "RateLimitExceeded"));
    // From many: the answers stay the same, and after five an hour no mail is sent.
    let mut count = mail.mails(&to).await.len();
    for n in 0..10 {
        assert_eq!(ask(format!("192.0.2.{}", 10 + n)).await.status, 200);
        pds.send_mails().await;
        count = mail.mails(&to).await.len();
    }
    assert!(count <= 6, "{count} mails, the one of the sign-up among them");
}
