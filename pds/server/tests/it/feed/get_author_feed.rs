//! `app.bsky.feed.getAuthorFeed`

use serde_json::json;

use super::{foreign_post, start, texts, unseen};
use crate::harness::Database;

const METHOD: &str = "app.bsky.feed.getAuthorFeed";

#[tokio::test]
async fn new_posts_are_in_the_authors_own_feed_alone() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let (alice, known, own) = unseen(&pds).await;
    app_view.json(METHOD, 200, &[("atproto-repo-rev", &known)], json!({"feed": [{"post": own}]}));
    let answer = alice.query(METHOD, &[("actor", &alice.did)]).await.ok();
    assert_eq!(texts(&answer), ["new", "old"]);
    assert_eq!(answer["feed"][1]["post"]["author"]["displayName"], "New");

    // Not in a feed of somebody else, nor in one that does not say whose it is.
    let theirs = foreign_post("theirs", "2020-01-01T00:00:00.000Z");
    for body in [json!({"feed": [{"post": theirs}]}), json!({"feed": []})] {
        app_view.json(METHOD, 200, &[("atproto-repo-rev", &known)], body.clone());
        assert_eq!(alice.query(METHOD, &[("actor", &alice.did)]).await.ok(), body);
    }
}
