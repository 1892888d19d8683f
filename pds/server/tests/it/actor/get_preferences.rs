//! `app.bsky.actor.getPreferences`

use serde_json::{Value, json};

use super::{saved_feeds, start};
use crate::{
    harness::{Database, TestPds, Upstream, send},
    proxy::token::verified,
};

const GET: &str = "app.bsky.actor.getPreferences";
const PUT: &str = "app.bsky.actor.putPreferences";

async fn preferences_are_kept_for_their_owner((pds, app_view): (TestPds, Upstream)) {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    assert_eq!(alice.query(GET, &[]).await.ok(), json!({"preferences": []}));
    let personal = json!({"$type": "app.bsky.actor.defs#personalDetailsPref", "birthDate": "1990-01-01T00:00:00.000Z"});
    let unknown = json!({"$type": "app.bsky.actor.defs#laterPref", "text": "ü\u{1f984}", "number": 1});
    let given = json!([saved_feeds(), personal, unknown]);
    assert_eq!(alice.call(PUT, json!({"preferences": given})).await.status, 200);
    let mut wanted = given.as_array().unwrap().clone();
    wanted.push(json!({
        "$type": "app.bsky.actor.defs#declaredAgePref", "isOverAge13": true, "isOverAge16": true, "isOverAge18": true,
    }));
    assert_eq!(alice.query(GET, &[]).await.ok()["preferences"], json!(wanted));
    assert_eq!(bob.query(GET, &[]).await.ok(), json!({"preferences": []}));
    // They are replaced as a whole, and the declared age is not stored.
    assert_eq!(alice.call(PUT, json!({"preferences": [wanted[3], saved_feeds()]})).await.status, 200);
    assert_eq!(alice.query(GET, &[]).await.ok()["preferences"], json!([saved_feeds()]));
    assert!(app_view.seen().is_empty(), "the app view has no part in it");
}

#[tokio::test]
async fn preferences_are_kept_for_their_owner_sqlite() {
    preferences_are_kept_for_their_owner(start(Database::sqlite()).await).await;
}

#[tokio::test]
async fn preferences_are_kept_for_their_owner_postgres() {
    preferences_are_kept_for_their_owner(start(Database::postgres().await).await).await;
}

#[tokio::test]
async fn another_app_view_has_preferences_of_its_own() {
    let (app_view, other) = (Upstream::start().await, Upstream::start().await);
    let pds = TestPds::with_app_view(&app_view, &[("PDS_DISABLE_SSRF_PROTECTION", "true")]).await;
    const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";
    pds.directory.add_service(OTHER, "bsky_appview", "BskyAppView", other.url());
    let alice = pds.person("alice").await;
    other.json(GET, 200, &[], json!({"preferences": [saved_feeds()]}));
    other.json(PUT, 200, &[], json!({}));
    let named = |request: reqwest::RequestBuilder| {
        request.bearer_auth(&alice.access).header("atproto-proxy", format!("{OTHER}#bsky_appview"))
    };
    assert_eq!(send(named(pds.get(GET))).await.ok(), json!({"preferences": [saved_feeds()]}));
    let input = json!({"preferences": [{"$type": "com.example.pref"}]});
    assert_eq!(send(named(pds.post(PUT)).json(&input)).await.status, 200);
    let put = other.last();
    assert_eq!(serde_json::from_slice::<Value>(&put.body).unwrap(), input);
    verified(&pds, &alice, put.token(), OTHER, Some(PUT)).await;
    assert_eq!(alice.query(GET, &[]).await.ok(), json!({"preferences": []}));
}
