//! `com.atproto.server.getAccountInviteCodes`

use std::time::Duration;

use serde_json::json;

use crate::{
    harness::{Database, Person, TestPds},
    on_both,
};

const METHOD: &str = "com.atproto.server.getAccountInviteCodes";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const INTERVAL: &[(&str, &str)] = &[("PDS_INVITE_INTERVAL", "1d")];

on_both!(without_an_interval_there_are_only_codes_that_were_given, |pds| async move {
    let alice = pds.person("alice").await;
    assert_eq!(alice.query(METHOD, &[]).await.ok(), json!({"codes": []}));
    let input = json!({"useCount": 1, "forAccount": alice.did});
    let code = pds.admin("com.atproto.server.createInviteCode", input).await.ok()["code"].clone();
    let codes = alice.query(METHOD, &[]).await.ok()["codes"].clone();
    assert_eq!((&codes[0]["code"], codes[0]["forAccount"].as_str()), (&code, Some(alice.did.as_str())));
    assert_eq!(codes[0]["createdBy"], "admin");
    assert_eq!(pds.query(METHOD, &[]).await.error(), (401, "AuthMissing"));
});

/// Access tokens do not last for days.
async fn again(pds: &TestPds, name: &str) -> Person {
    pds.person_of(pds.log_in(&format!("{name}.pds.test"), "correct horse").await.ok())
}

async fn codes(person: &Person, params: &[(&str, &str)]) -> Vec<String> {
    let answer = person.query(METHOD, params).await.ok();
    answer["codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect()
}

/// AL-INV-1, AL-INV-2
async fn earn(pds: TestPds) {
    let alice = pds.person("alice").await;
    assert!(codes(&alice, &[]).await.is_empty());
    pds.clock.forward(2 * DAY);
    let alice = again(&pds, "alice").await;
    assert!(codes(&alice, &[("createAvailable", "false")]).await.is_empty());
    // Many calls at once, on two replicas, make what one makes.
    let (there, other) = (alice.clone(), pds.replica_with(INTERVAL).await);
    let there = there.at(&other.url);
    let calls = (0..6).map(|n| codes(if n % 2 == 0 { &alice } else { &there }, &[]));
    futures::future::join_all(calls).await;
    let earned = codes(&alice, &[]).await;
    assert_eq!(earned.len(), 2, "{earned:?}");
    assert!(earned.iter().all(|code| code.starts_with("pds-test-")), "{earned:?}");

    let input = json!({
        "handle": "bob.pds.test", "email": "bob@example.com", "password": "correct horse", "inviteCode": earned[0],
    });
    let bob = pds.person_of(pds.sign_up(input).await.ok());
    let unused = codes(&alice, &[("includeUsed", "false")]).await;
    assert_eq!(unused, [earned[1].clone()]);
    let all = alice.query(METHOD, &[]).await.ok()["codes"].clone();
    let used = all.as_array().unwrap().iter().find(|code| code["code"] == *earned[0]).unwrap();
    assert_eq!(used["uses"][0]["usedBy"], bob.did);

    // At most five can be open, however long nobody asked.
    pds.clock.forward(30 * DAY);
    let alice = again(&pds, "alice").await;
    assert_eq!(codes(&alice, &[("includeUsed", "false")]).await.len(), 5);
    assert_eq!(codes(&alice, &[]).await.len(), 6);
    let app_password = alice.app_password("client", true).await;
    let client = pds.person_of(pds.log_in("alice.pds.test", &app_password).await.ok());
    assert_eq!(client.query(METHOD, &[]).await.error(), (400, "InvalidToken"));
}

#[tokio::test]
async fn an_account_earns_codes_on_sqlite() {
    earn(TestPds::with(Database::sqlite(), INTERVAL).await).await;
}

#[tokio::test]
async fn an_account_earns_codes_on_postgres() {
    earn(TestPds::with(Database::postgres().await, INTERVAL).await).await;
}

#[tokio::test]
async fn nothing_is_earned_before_the_epoch_or_where_everybody_may_sign_up() {
    let far = [("PDS_INVITE_INTERVAL", "1d"), ("PDS_INVITE_EPOCH", "9999999999999")];
    let open = [("PDS_INVITE_INTERVAL", "1d"), ("PDS_INVITE_REQUIRED", "false")];
    for settings in [far, open] {
        let pds = TestPds::with(Database::sqlite(), &settings).await;
        pds.person("alice").await;
        pds.clock.forward(10 * DAY);
        assert!(codes(&again(&pds, "alice").await, &[]).await.is_empty(), "{settings:?}");
    }
}
