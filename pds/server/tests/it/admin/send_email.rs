//! `com.atproto.admin.sendEmail`

use serde_json::json;

use crate::{on_both, on_both_mailed};

const METHOD: &str = "com.atproto.admin.sendEmail";
const SENDER: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

on_both_mailed!(a_mail_of_an_administrator_arrives, [], |pds, mail| async move {
    let (alice, to) = (mail.person(&pds, "alice").await, mail.address("alice"));
    mail.nth(&pds, &to, 1).await;
    let input = json!({"recipientDid": alice.did, "senderDid": SENDER, "subject": "About your posts", "content": "<p>Please <b>stop</b>.</p>"});
    assert_eq!(pds.admin(METHOD, input).await.ok(), json!({"sent": true}));
    let arrived = mail.nth(&pds, &to, 2).await;
    assert_eq!(arrived.subject, "About your posts");
    assert!(arrived.html.contains("<b>stop</b>") && arrived.text.contains("stop"), "{}", arrived.text);
    let input = json!({"recipientDid": alice.did, "senderDid": SENDER, "content": "x", "comment": "for the record"});
    pds.admin(METHOD, input).await.ok();
    assert_eq!(mail.nth(&pds, &to, 3).await.subject, "Message via your PDS");
    // As in the reference: the subject may say everything.
    let input = json!({"recipientDid": alice.did, "senderDid": SENDER, "subject": "Call us", "content": ""});
    pds.admin(METHOD, input).await.ok();
    assert_eq!(mail.nth(&pds, &to, 4).await.subject, "Call us");
});

on_both!(mails_that_cannot_be_sent_are_refused, |pds| async move {
    let alice = pds.person("alice").await;
    let send = |did: &str, subject: String, content: String| {
        pds.admin(METHOD, json!({"recipientDid": did, "senderDid": SENDER, "subject": subject, "content": content}))
    };
    let missing = send(SENDER, "x".to_owned(), "x".to_owned()).await;
    assert_eq!(
        (missing.error(), missing.body["message"].as_str()),
        ((400, "InvalidRequest"), Some("Recipient not found"))
    );
    for (subject, content) in [("x".repeat(201), "x".to_owned()), ("x".to_owned(), "x".repeat(110_000))] {
        assert_eq!(send(&alice.did, subject, content).await.error(), (400, "InvalidRequest"));
    }
    // Without a mail server nothing is queued that would never be sent.
    assert_ne!(send(&alice.did, "x".to_owned(), "x".to_owned()).await.status, 200);
});
