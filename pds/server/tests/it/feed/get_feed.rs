//! `app.bsky.feed.getFeed`

use serde_json::json;

use super::{OTHER, start};
use crate::{harness::Database, proxy::token::verified};

const FEED: &str = "app.bsky.feed.getFeed";
const RECORD: &str = "com.atproto.repo.getRecord";

#[tokio::test]
async fn the_token_for_a_feed_is_for_its_generator() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    let uri = format!("at://{OTHER}/app.bsky.feed.generator/cats");
    app_view.json(RECORD, 200, &[], json!({"uri": uri, "value": {"did": "did:web:feeds.example.com"}}));
    app_view.json(FEED, 200, &[], json!({"feed": []}));
    for _ in 0..2 {
        assert_eq!(alice.query(FEED, &[("feed", &uri)]).await.ok(), json!({"feed": []}));
        let seen = app_view.last();
        assert!(seen.path.starts_with(&format!("/xrpc/{FEED}?feed=at")));
        verified(&pds, &alice, seen.token(), "did:web:feeds.example.com", Some("app.bsky.feed.getFeedSkeleton")).await;
    }
    assert_eq!(app_view.seen().len(), 3, "the generator is remembered");
    app_view.json(RECORD, 200, &[], json!({"uri": uri, "value": {}}));
    let answer = alice.query(FEED, &[("feed", &format!("at://{OTHER}/app.bsky.feed.generator/dogs"))]).await;
    assert_eq!(answer.error(), (400, "UnknownFeed"));
    assert_eq!(alice.query(FEED, &[("feed", "cats")]).await.error(), (400, "InvalidRequest"));
}
