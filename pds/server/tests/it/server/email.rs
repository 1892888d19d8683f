//! Confirming and changing e-mail addresses.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{FROM, Person, TestPds},
    on_both, on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestEmailConfirmation";
const CONFIRM: &str = "com.atproto.server.confirmEmail";
const REQUEST_UPDATE: &str = "com.atproto.server.requestEmailUpdate";
const UPDATE: &str = "com.atproto.server.updateEmail";

const MINUTE: Duration = Duration::from_secs(60);

async fn ask(person: &Person, method: &str) {
    assert_eq!(person.bare(method).await.status, 200);
}

async fn session(person: &Person) -> Value {
    person.query("com.atproto.server.getSession", &[]).await.ok()
}

on_both_mailed!(an_address_is_confirmed_with_the_code_of_the_sign_up, [], |pds, mail| async move {
    // AL-MAIL-1, AL-MAIL-2
    let alice = mail.person(&pds, "alice").await;
    let to = mail.address("alice");
    let welcome = mail.nth(&pds, &to, 1).await;
    assert_eq!((welcome.subject.as_str(), welcome.from.as_str()), ("Confirm your e-mail address", FROM));
    assert!(welcome.text.contains("@alice.pds.test") && welcome.html.contains("@alice.pds.test"));
    let link = format!("https://bsky.app/intent/verify-email?code={}", welcome.code());
    assert!(welcome.text.contains(&link) && welcome.html.replace("&#x2f;", "/").contains(&link), "{}", welcome.html);
    assert_eq!(welcome.headers["Auto-Submitted"], json!(["auto-generated"]));
    assert_eq!(session(&alice).await["emailConfirmed"], false);

    // Not for another address, not with another code; then as people type it, and once.
    let confirm = |email: String, code: String| alice.call(CONFIRM, json!({"email": email, "token": code}));
    assert_eq!(confirm(mail.address("other"), welcome.code()).await.error(), (400, "InvalidEmail"));
    let wrong = confirm(to.clone(), "AAAAA-AAAAA".into()).await;
    assert_eq!((wrong.error(), &wrong.body["message"]), ((400, "InvalidToken"), &json!("Token is invalid")));
    assert_eq!(confirm(to.to_uppercase(), format!(" {} ", welcome.code().to_lowercase())).await.status, 200);
    assert_eq!(session(&alice).await["emailConfirmed"], true);
    assert_eq!(confirm(to.clone(), welcome.code()).await.error(), (400, "InvalidToken"), "it was used");
});

on_both_mailed!(a_code_is_good_for_15_minutes_and_voids_the_one_before, [], |pds, mail| async move {
    // AL-MAIL-2
    let (alice, to) = (mail.person(&pds, "alice").await, mail.address("alice"));
    let first = mail.nth(&pds, &to, 1).await.code();
    ask(&alice, REQUEST).await;
    let second = mail.nth(&pds, &to, 2).await.code();
    let confirm = |code: String| alice.call(CONFIRM, json!({"email": to, "token": code}));
    assert_eq!(confirm(first).await.error(), (400, "InvalidToken"));

    pds.clock.forward(16 * MINUTE);
    let late = confirm(second.clone()).await;
    assert_eq!((late.error(), &late.body["message"]), ((400, "ExpiredToken"), &json!("Token is expired")));
    // Still by name, until it is forgotten.
    assert_eq!(confirm(second).await.error(), (400, "ExpiredToken"));

    ask(&alice, REQUEST).await;
    let third = mail.nth(&pds, &to, 3).await.code();
    pds.clock.forward(14 * MINUTE);
    assert_eq!(confirm(third).await.status, 200);
    // A code of another person, and one for another purpose, are none.
    let bob = mail.person(&pds, "bob").await;
    let other = mail.nth(&pds, &mail.address("bob"), 1).await.code();
    assert_eq!(confirm(other.clone()).await.error(), (400, "InvalidToken"));
    let reset = json!({"token": other, "password": "new password"});
    assert_eq!(bob.call("com.atproto.server.resetPassword", reset).await.error(), (400, "InvalidToken"));
});

on_both_mailed!(a_confirmed_address_is_replaced_with_a_code_alone, [], |pds, mail| async move {
    let (alice, to, new) = (mail.person(&pds, "alice").await, mail.address("alice"), mail.address("new"));
    // One that was never confirmed proves nothing.
    assert_eq!(alice.bare(REQUEST_UPDATE).await.ok()["tokenRequired"], false);
    let code = mail.nth(&pds, &to, 1).await.code();
    assert_eq!(alice.call(CONFIRM, json!({"email": to, "token": code})).await.status, 200);

    assert_eq!(alice.bare(REQUEST_UPDATE).await.ok()["tokenRequired"], true);
    let code = mail.nth(&pds, &to, 2).await.code();
    let update = |input: Value| alice.call(UPDATE, input);
    let missing = update(json!({"email": new})).await;
    assert_eq!(
        (missing.error(), &missing.body["message"]),
        ((400, "TokenRequired"), &json!("confirmation token required"))
    );
    assert_eq!(update(json!({"email": new, "token": "AAAAA-AAAAA"})).await.error(), (400, "InvalidToken"));
    for unsupported in ["nonsense", "x@mailinator.com"] {
        let refused = update(json!({"email": unsupported, "token": code})).await;
        let message = "This email address is not supported, please use a different email.";
        assert_eq!((refused.error(), &refused.body["message"]), ((400, "InvalidRequest"), &json!(message)));
    }
    let bob = mail.person(&pds, "bob").await;
    let taken = update(json!({"email": mail.address("bob"), "token": code})).await;
    let message = "This email address is already in use, please use a different email.";
    assert_eq!((taken.error(), &taken.body["message"]), ((400, "InvalidRequest"), &json!(message)));

    // Nothing of this has used the code up.
    assert_eq!(update(json!({"email": new.to_uppercase(), "token": code})).await.status, 200);
    let now = session(&alice).await;
    assert_eq!((&now["email"], &now["emailConfirmed"]), (&json!(new), &json!(false)));
    let told = mail.nth(&pds, &to, 3).await;
    assert_eq!(told.subject, "Your e-mail address was changed");
    assert!(!told.text.contains(&new), "the former address does not learn the new one");
    // Codes for the former address are void.
    assert_eq!(update(json!({"email": to, "token": code})).await.error(), (400, "InvalidToken"));
    assert_eq!(session(&bob).await["email"], mail.address("bob"));
    ask(&alice, REQUEST).await;
    let code = mail.nth(&pds, &new, 1).await.code();
    assert_eq!(alice.call(CONFIRM, json!({"email": new, "token": code})).await.status, 200);
});

// An address that was not confirmed may be a stranger's.
on_both_mailed!(only_a_confirmed_address_is_told_that_it_was_replaced, [], |pds, mail| async move {
    // One that was not confirmed may be a stranger's.
    let (alice, to, new) = (mail.person(&pds, "alice").await, mail.address("alice"), mail.address("new"));
    assert_eq!(alice.call(UPDATE, json!({"email": new})).await.status, 200);
    ask(&alice, REQUEST).await;
    mail.nth(&pds, &new, 1).await;
    assert!(mail.mails(&to).await.is_empty());
});

on_both!(without_a_mail_server_each_method_says_so, |pds| async move {
    // AL-MAIL-1
    let alice = pds.person("alice").await;
    for method in [REQUEST, "com.atproto.server.requestAccountDelete"] {
        let answer = alice.bare(method).await;
        assert_eq!(answer.error(), (400, "EmailNotConfigured"), "{method}");
        assert!(answer.body["message"].as_str().unwrap().contains("administrator"));
    }
    // The same for an address that nobody has.
    for email in ["alice@example.com", "nobody@example.com"] {
        let answer = alice.call("com.atproto.server.requestPasswordReset", json!({"email": email})).await;
        assert_eq!(answer.error(), (400, "EmailNotConfigured"));
    }
    // An administrator gives the code instead.
    let code = pds.code(&alice, pds_store::email_token::Purpose::ConfirmEmail).await;
    assert_eq!(alice.call(CONFIRM, json!({"email": "alice@example.com", "token": code})).await.status, 200);
    assert_eq!(alice.bare(REQUEST_UPDATE).await.error(), (400, "EmailNotConfigured"));
});

const REQUIRED: [(&str, &str); 1] = [("PDS_REQUIRE_CONFIRMED_EMAIL", "post,upload")];

on_both_mailed!(a_host_may_ask_for_a_confirmed_address, REQUIRED, |pds, mail| async move {
    // AL-MAIL-3
    let alice = mail.person(&pds, "alice").await;
    let record = json!({"$type": "com.example.thing"});
    let writes = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": "a", "record": record});
    let batch = json!({"repo": alice.did, "writes": [{"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "value": record}]});
    let refused = (403, "EmailNotConfirmed");
    for (method, input) in [("createRecord", &writes), ("putRecord", &writes), ("applyWrites", &batch)] {
        assert_eq!(alice.call(&format!("com.atproto.repo.{method}"), input.clone()).await.error(), refused, "{method}");
    }
    assert_eq!(alice.upload(b"bytes".to_vec(), "text/plain").await.error(), refused);
    // What is deleted, read, and what a person needs to confirm the address or to leave.
    let gone = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": "a"});
    assert_eq!(alice.call("com.atproto.repo.deleteRecord", gone).await.status, 200);
    session(&alice).await;
    ask(&alice, "com.atproto.server.requestAccountDelete").await;
    let code = mail.mails(&mail.address("alice")).await.pop();
    assert!(code.is_none());
    let code = pds.code(&alice, pds_store::email_token::Purpose::ConfirmEmail).await;
    let input = json!({"email": mail.address("alice"), "token": code});
    assert_eq!(alice.call(CONFIRM, input).await.status, 200);
    alice.call("com.atproto.repo.createRecord", writes).await.ok();
    alice.upload(b"bytes".to_vec(), "text/plain").await.ok();
});

#[tokio::test]
async fn requests_for_codes_are_limited_as_in_the_reference() {
    let mail = crate::harness::Mailpit::shared();
    let pds = TestPds::mailed(crate::harness::Database::sqlite(), &mail, &[("PDS_RATE_LIMITS_ENABLED", "true")]).await;
    let alice = mail.person(&pds, "alice").await;
    for method in [REQUEST, "com.atproto.server.requestAccountDelete", REQUEST_UPDATE] {
        for _ in 0..5 {
            assert_eq!(alice.bare(method).await.status, 200, "{method}");
        }
        let refused = alice.bare(method).await;
        assert_eq!(refused.error(), (429, "RateLimitExceeded"), "{method}");
        assert_eq!(refused.headers["ratelimit-policy"], "5;w=3600");
    }
    // A new mail replaces an unsent one: one of each kind was left.
    pds.send_mails().await;
    assert_eq!(mail.mails(&mail.address("alice")).await.len(), 2);
}
