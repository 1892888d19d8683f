//! `com.atproto.server.requestEmailUpdate` and `updateEmail`

use serde_json::{Value, json};

use super::confirm_email::{ask, session};
use crate::on_both_mailed;

const REQUEST: &str = "com.atproto.server.requestEmailConfirmation";
const CONFIRM: &str = "com.atproto.server.confirmEmail";
const REQUEST_UPDATE: &str = "com.atproto.server.requestEmailUpdate";
const UPDATE: &str = "com.atproto.server.updateEmail";

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

on_both_mailed!(only_a_confirmed_address_is_told_that_it_was_replaced, [], |pds, mail| async move {
    // One that was not confirmed may be a stranger's.
    let (alice, to, new) = (mail.person(&pds, "alice").await, mail.address("alice"), mail.address("new"));
    assert_eq!(alice.call(UPDATE, json!({"email": new})).await.status, 200);
    ask(&alice, REQUEST).await;
    mail.nth(&pds, &new, 1).await;
    assert!(mail.mails(&to).await.is_empty());
});
