//! `app.bsky.actor.getProfile`

use serde_json::json;

use crate::{
    feed::{rename, rev, start},
    harness::Database,
};

const METHOD: &str = "app.bsky.actor.getProfile";

#[tokio::test]
async fn ones_own_profile_shows_what_was_written_last() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    let view = json!({"did": alice.did, "handle": alice.handle, "displayName": "Old", "description": "old"});
    rename(&alice, "New").await;
    app_view.json(METHOD, 200, &[("atproto-repo-rev", &known)], view.clone());
    let answer = alice.query(METHOD, &[("actor", &alice.did)]).await;
    assert!(answer.headers.contains_key("atproto-upstream-lag"));
    assert_eq!(answer.ok(), json!({"did": alice.did, "handle": alice.handle, "displayName": "New"}));
    // To others it is what the app view says.
    let bob = pds.person("bob").await;
    assert_eq!(bob.query(METHOD, &[("actor", &alice.did)]).await.ok(), view);
}
