//! `app.bsky.feed.getPostThread`

use serde_json::json;

use super::{foreign_post, rev, start};
use crate::harness::Database;

const THREAD: &str = "app.bsky.feed.getPostThread";

#[tokio::test]
async fn the_thread_of_a_new_post_is_made_here() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    let above = foreign_post("above", "2020-01-01T00:00:00.000Z");
    let strong = json!({"uri": above["uri"], "cid": above["cid"]});
    let post = json!({
        "$type": "app.bsky.feed.post", "text": "reply", "createdAt": "2026-01-01T00:00:00.000Z",
        "reply": {"root": strong, "parent": strong},
    });
    let uri = alice.create("app.bsky.feed.post", post).await.ok()["uri"].as_str().unwrap().to_owned();
    let refusal = json!({"error": "NotFound", "message": "Post not found"});
    let (post_uri, parent, head) = (uri.clone(), above.clone(), known.clone());
    app_view.answer(THREAD, move |request| {
        let is_new = request.uri().query().unwrap().contains(post_uri.rsplit('/').next().unwrap());
        let thread = json!({"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": parent}});
        let (status, body) = if is_new { (400, refusal.clone()) } else { (200, thread) };
        let response = axum::response::Response::builder().status(status).header("content-type", "application/json");
        let response = response.header("atproto-repo-rev", &head).body(body.to_string().into()).unwrap();
        Box::pin(async move { response })
    });
    for uri in [uri.clone(), uri.replace(&alice.did, &alice.handle)] {
        let answer = alice.query(THREAD, &[("uri", &uri), ("parentHeight", "7")]).await;
        assert!(answer.headers.contains_key("atproto-upstream-lag"));
        let answer = answer.ok();
        assert_eq!(answer["thread"]["post"]["record"]["text"], "reply");
        assert_eq!(answer["thread"]["parent"]["post"]["record"]["text"], "above");
        assert!(app_view.last().path.contains("parentHeight=7") && app_view.last().path.contains("depth=0"));
    }
    let bob = pds.person("bob").await;
    assert_eq!(bob.query(THREAD, &[("uri", &uri)]).await.error(), (400, "NotFound"));
    // A thread that the app view knows gets the reply.
    let answer = alice.query(THREAD, &[("uri", above["uri"].as_str().unwrap())]).await.ok();
    assert_eq!(answer["thread"]["replies"][0]["post"]["uri"], uri);
}
