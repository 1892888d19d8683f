//! `app.bsky.feed.getActorLikes`

use serde_json::json;

use super::{foreign_post, start, texts, unseen};
use crate::harness::Database;

const METHOD: &str = "app.bsky.feed.getActorLikes";

#[tokio::test]
async fn own_posts_among_the_likes_have_the_new_name_and_no_posts_are_added() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let (alice, known, own) = unseen(&pds).await;
    let theirs = foreign_post("theirs", "2020-01-01T00:00:00.000Z");
    let feed = json!({"feed": [{"post": own}, {"post": theirs}]});
    app_view.json(METHOD, 200, &[("atproto-repo-rev", &known)], feed);
    let answer = alice.query(METHOD, &[("actor", &alice.did)]).await;
    assert!(answer.headers.contains_key("atproto-upstream-lag"));
    let answer = answer.ok();
    assert_eq!(texts(&answer), ["old", "theirs"]);
    assert_eq!(answer["feed"][0]["post"]["author"]["displayName"], "New");
    assert_eq!(answer["feed"][1]["post"], theirs);
}
