//! `com.atproto.server.requestPasswordReset`

use serde_json::json;

use super::reset_password::call;
use crate::{
    harness::{Answer, Database, Mailpit, TestPds, send},
    on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestPasswordReset";

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
    for impossible in [String::new(), format!("{}@example.com", "x".repeat(300))] {
        let refused = call(&pds, REQUEST, json!({"email": impossible})).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{impossible}");
    }
});

#[tokio::test]
async fn nobodys_mailbox_is_filled() {
    // AL-RL-2
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
