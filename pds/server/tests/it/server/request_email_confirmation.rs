//! `com.atproto.server.requestEmailConfirmation`, and what all methods have in common that mail a code.

use serde_json::json;

use crate::{
    harness::{Database, Mailpit, TestPds},
    on_both,
};

const REQUEST: &str = "com.atproto.server.requestEmailConfirmation";
const CONFIRM: &str = "com.atproto.server.confirmEmail";
const REQUEST_UPDATE: &str = "com.atproto.server.requestEmailUpdate";

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

#[tokio::test]
async fn requests_for_codes_are_limited_as_in_the_reference() {
    // AL-RL-2, AL-RL-3
    let mail = Mailpit::shared();
    let pds = TestPds::mailed(Database::sqlite(), &mail, &[("PDS_RATE_LIMITS_ENABLED", "true")]).await;
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
