//! `app.bsky.actor.putPreferences`

use serde_json::json;

use super::{saved_feeds, start};
use crate::harness::{Database, TestPds, Upstream, send};

const GET: &str = "app.bsky.actor.getPreferences";
const PUT: &str = "app.bsky.actor.putPreferences";

#[tokio::test]
async fn what_is_no_preference_is_refused() {
    let (pds, _app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    for (preferences, message) in [
        (json!([{"$type": "com.example.pref"}]), "Some preferences are not in the app.bsky namespace"),
        (json!([{"pinned": []}]), "Preference is missing a $type"),
        (json!(vec![saved_feeds(); 1_001]), "Input/preferences must have at most 1000 items, found 1001"),
    ] {
        let answer = alice.call(PUT, json!({"preferences": preferences})).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{message}");
        if preferences[0].get("$type").is_some() {
            assert_eq!(answer.body["message"], message);
        }
    }
    assert_eq!(alice.call(PUT, json!({})).await.error(), (400, "InvalidRequest"));
    let long = json!({"preferences": [{"$type": "app.bsky.a", "text": "x".repeat(200 << 10)}]});
    assert_eq!(alice.call(PUT, long).await.error(), (413, "PayloadTooLargeError"));
    assert_eq!(alice.query(GET, &[]).await.ok(), json!({"preferences": []}));
    assert_eq!(send(pds.get(GET)).await.error(), (401, "AuthMissing"));
}

#[tokio::test]
async fn preferences_are_replaced_only_so_often() {
    let app_view = Upstream::start().await;
    let settings = [("PDS_RATE_LIMITS_ENABLED", "true"), ("RATE_LIMIT_AUTHENTICATED_BURST", "1000")];
    let pds = TestPds::with_app_view(&app_view, &settings).await;
    let alice = pds.person("alice").await;
    pds.clock.freeze();
    for _ in 0..100 {
        assert_eq!(alice.call(PUT, json!({"preferences": [saved_feeds()]})).await.status, 200);
    }
    let refused = alice.call(PUT, json!({"preferences": []})).await;
    assert_eq!(refused.error(), (429, "RateLimitExceeded"));
}
