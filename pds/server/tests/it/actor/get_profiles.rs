//! `app.bsky.actor.getProfiles`

use serde_json::json;

use crate::{
    feed::{rename, rev, start},
    harness::Database,
};

const METHOD: &str = "app.bsky.actor.getProfiles";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

#[tokio::test]
async fn ones_own_profile_among_others_shows_what_was_written_last() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    rename(&alice, "New").await;
    let view = json!({"did": alice.did, "handle": alice.handle, "displayName": "Old", "description": "old"});
    let other = json!({"did": OTHER, "handle": "bob.test", "displayName": "Bob"});
    app_view.json(METHOD, 200, &[("atproto-repo-rev", &known)], json!({"profiles": [view, other]}));
    let params = [("actors", alice.did.as_str()), ("actors", OTHER)];
    let answer = alice.query(METHOD, &params).await.ok();
    assert_eq!(answer["profiles"][0]["displayName"], "New");
    assert_eq!(answer["profiles"][1], other);
}
