//! `com.atproto.server.describeServer`

use serde_json::json;

use crate::{
    harness::{Database, TestPds},
    on_both,
};

on_both!(the_host_says_who_it_is, |pds| async move {
    // AL-INV-3
    let described = pds.query("com.atproto.server.describeServer", &[]).await.ok();
    assert_eq!(
        (&described["did"], &described["availableUserDomains"]),
        (&json!("did:web:pds.test"), &json!([".pds.test"]))
    );
    assert_eq!(
        (&described["inviteCodeRequired"], &described["links"], &described["contact"]),
        (&json!(true), &json!({}), &json!({}))
    );
});

/// AL-INV-3
async fn open(database: Database) {
    let pds = TestPds::with(database, &[("PDS_INVITE_REQUIRED", "false")]).await;
    assert_eq!(pds.query("com.atproto.server.describeServer", &[]).await.ok()["inviteCodeRequired"], false);
    let input = json!({"handle": "alice.pds.test", "email": "alice@example.com", "password": "correct horse"});
    pds.person_of(pds.sign_up(input).await.ok()).post("hello").await;
}

#[tokio::test]
async fn a_host_may_ask_for_no_invite_codes_on_sqlite() {
    open(Database::sqlite()).await;
}

#[tokio::test]
async fn a_host_may_ask_for_no_invite_codes_on_postgres() {
    open(Database::postgres().await).await;
}
