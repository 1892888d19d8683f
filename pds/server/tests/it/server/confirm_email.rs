//! `com.atproto.server.confirmEmail`

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{FROM, Person},
    on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestEmailConfirmation";
const CONFIRM: &str = "com.atproto.server.confirmEmail";

const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn ask(person: &Person, method: &str) {
    assert_eq!(person.bare(method).await.status, 200);
}

pub(super) async fn session(person: &Person) -> Value {
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

const REQUIRED: [(&str, &str); 1] = [("PDS_REQUIRE_CONFIRMED_EMAIL", "post,upload,invite")];

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
    let invites = "com.atproto.server.getAccountInviteCodes";
    assert_eq!(alice.query(invites, &[]).await.error(), refused);
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
    alice.query(invites, &[]).await.ok();
});
