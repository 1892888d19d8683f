//! `dev.auroralocus.admin.setQuota` (AL-REP-5)

use serde_json::{Value, json};

use crate::{
    harness::{Database, Person, TestPds},
    on_both,
};

const METHOD: &str = "dev.auroralocus.admin.setQuota";

async fn set(pds: &TestPds, person: &Person, bytes: Value) {
    pds.admin(METHOD, json!({"did": person.did, "bytes": bytes})).await.ok();
}

async fn own_quotas(database: Database) {
    let pds = TestPds::with(database, &[("PDS_ACCOUNT_QUOTA_BYTES", "1000")]).await;
    let other = pds.replica_with(&[("PDS_ACCOUNT_QUOTA_BYTES", "1000")]).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let shown = async || {
        let shown = other.admin_query("dev.auroralocus.admin.getAccount", &[("did", &alice.did)]).await.ok();
        (shown["blobBytes"].as_u64(), shown["quotaBytes"].as_u64(), shown["ownQuotaBytes"].as_u64())
    };
    let over = async |size: usize| {
        let there = alice.at(&other.url);
        let refused = there.upload(vec![7; size], "text/plain").await;
        assert_eq!(refused.error(), (400, "AccountQuotaExceeded"));
        refused.body["message"].as_str().unwrap().to_owned()
    };
    alice.upload(vec![1; 600], "text/plain").await.ok();
    assert_eq!(shown().await, (Some(600), Some(1_000), None));
    over(401).await;

    // More than the others, on every replica.
    set(&pds, &alice, json!(2_000)).await;
    alice.at(&other.url).upload(vec![2; 401], "text/plain").await.ok();
    assert_eq!(shown().await, (Some(1_001), Some(2_000), Some(2_000)));
    assert!(over(1_000).await.contains("2000 bytes together; they have 1001"));
    assert_eq!(bob.upload(vec![1; 1_001], "text/plain").await.error(), (400, "AccountQuotaExceeded"));

    // Less than it has: what is there stays, records are written.
    set(&pds, &alice, json!(10)).await;
    over(1).await;
    alice.post("still here").await;

    set(&pds, &alice, json!(0)).await;
    assert_eq!(shown().await, (Some(1_001), None, Some(0)));
    alice.upload(vec![3; 5_000], "text/plain").await.ok();

    set(&pds, &alice, Value::Null).await;
    assert_eq!(shown().await, (Some(6_001), Some(1_000), None));
    over(1).await;
}

#[tokio::test]
async fn an_account_has_the_quota_that_the_administrator_sets_on_sqlite() {
    own_quotas(Database::sqlite()).await;
}

#[tokio::test]
async fn an_account_has_the_quota_that_the_administrator_sets_on_postgres() {
    own_quotas(Database::postgres().await).await;
}

on_both!(a_quota_needs_no_setting_of_the_server, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    set(&pds, &alice, json!(100)).await;
    assert_eq!(alice.upload(vec![1; 101], "text/plain").await.error(), (400, "AccountQuotaExceeded"));
    // Uploads at once do not get past it together.
    let uploads = (0..8).map(|n| alice.upload(vec![n; 40], "text/plain"));
    let stored = futures::future::join_all(uploads).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(stored, 2);
    bob.upload(vec![1; 101], "text/plain").await.ok();

    let nobody = json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "bytes": 1});
    assert_eq!(pds.admin(METHOD, nobody).await.error(), (400, "NotFound"));
    for input in
        [json!({"did": alice.did}), json!({"did": alice.did, "bytes": -1}), json!({"did": alice.did, "bytes": "1GiB"})]
    {
        assert_eq!(pds.admin(METHOD, input).await.error(), (400, "InvalidRequest"));
    }
});
