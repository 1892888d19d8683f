//! `com.atproto.admin.disableAccountInvites`

use std::time::Duration;

use serde_json::json;

use crate::harness::{Database, TestPds};

const METHOD: &str = "com.atproto.admin.disableAccountInvites";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn story(pds: TestPds) {
    let alice = pds.person("alice").await;
    pds.admin(METHOD, json!({"account": alice.did, "note": "sold her codes"})).await.ok();
    let info = async || pds.admin_query("com.atproto.admin.getAccountInfo", &[("did", &alice.did)]).await.ok();
    assert_eq!(
        (info().await["invitesDisabled"].as_bool(), info().await["inviteNote"].as_str()),
        (Some(true), Some("sold her codes"))
    );
    pds.clock.forward(2 * DAY);
    // Made for the record, but of no use.
    let alice = pds.person_of(pds.log_in("alice.pds.test", "correct horse").await.ok());
    let codes = async || alice.query("com.atproto.server.getAccountInviteCodes", &[]).await.ok()["codes"].clone();
    assert_eq!(codes().await, json!([]));
    assert_eq!(info().await["invites"].as_array().unwrap().len(), 2);

    pds.admin("com.atproto.admin.enableAccountInvites", json!({"account": alice.did})).await.ok();
    assert_eq!(
        (info().await["invitesDisabled"].as_bool(), info().await["inviteNote"].as_str()),
        (Some(false), Some("sold her codes"))
    );
    pds.clock.forward(DAY);
    let alice = pds.person_of(pds.log_in("alice.pds.test", "correct horse").await.ok());
    let codes = alice.query("com.atproto.server.getAccountInviteCodes", &[]).await.ok()["codes"].clone();
    assert_eq!(codes.as_array().unwrap().len(), 1);

    let missing = pds.admin(METHOD, json!({"account": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"})).await;
    assert_eq!(missing.error(), (400, "NotFound"));
    let long = pds.admin(METHOD, json!({"account": alice.did, "note": "x".repeat(3_001)})).await;
    assert_eq!(long.error(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn codes_of_an_account_that_may_make_none_are_of_no_use_on_sqlite() {
    story(TestPds::with(Database::sqlite(), &[("PDS_INVITE_INTERVAL", "1d")]).await).await;
}

#[tokio::test]
async fn codes_of_an_account_that_may_make_none_are_of_no_use_on_postgres() {
    story(TestPds::with(Database::postgres().await, &[("PDS_INVITE_INTERVAL", "1d")]).await).await;
}
