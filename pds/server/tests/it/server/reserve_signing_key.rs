//! `com.atproto.server.reserveSigningKey`

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    harness::{Database, Mover, TestPds, send},
    on_both,
};

const METHOD: &str = "com.atproto.server.reserveSigningKey";

async fn reserve(pds: &TestPds, input: Value) -> String {
    let answer = send(pds.post(METHOD).json(&input)).await.ok();
    answer["signingKey"].as_str().unwrap().to_owned()
}

on_both!(the_reserved_key_is_that_of_the_account_that_moves_in, |pds| async move {
    let mover = Mover::new(&*pds.directory).await;
    let key = reserve(&pds, json!({"did": mover.did})).await;
    assert!(key.starts_with("did:key:zQ3sh"), "{key}");
    assert_eq!(reserve(&pds, json!({"did": mover.did})).await, key, "one DID has one key");
    assert_ne!(reserve(&pds, json!({})).await, reserve(&pds, json!({})).await);

    let alice = pds.person_of(mover.move_in(&pds).await.ok());
    let wanted = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    assert_eq!(wanted["verificationMethods"], json!({"atproto": key}));
    // It is used up.
    assert_ne!(reserve(&pds, json!({"did": mover.did})).await, key);
    let refused = send(pds.post(METHOD).json(&json!({"did": "alice"}))).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"), "{}", refused.body);
});

on_both!(a_reservation_ends_after_two_days, |pds| async move {
    let mover = Mover::new(&*pds.directory).await;
    let key = reserve(&pds, json!({"did": mover.did})).await;
    pds.clock.forward(Duration::from_secs(47 * 60 * 60));
    assert_eq!(reserve(&pds, json!({"did": mover.did})).await, key);
    pds.clock.forward(Duration::from_secs(2 * 60 * 60));
    assert_ne!(reserve(&pds, json!({"did": mover.did})).await, key);
});

#[tokio::test]
async fn one_address_reserves_few_keys() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_RATE_LIMITS_ENABLED", "true")]).await;
    for _ in 0..20 {
        reserve(&pds, json!({})).await;
    }
    assert_eq!(send(pds.post(METHOD).json(&json!({}))).await.error(), (429, "RateLimitExceeded"));
}
