//! `app.bsky.feed.getTimeline`: what the caller has just written is in the answer, whether or not the app view has seen it.

use serde_json::json;

use super::{OTHER, foreign_post, rename, rev, start, texts};
use crate::{
    harness::{APP_VIEW, Database, TestPds, Upstream, send},
    proxy::token::verified,
};

const TIMELINE: &str = "app.bsky.feed.getTimeline";

async fn new_posts_are_in_the_timeline((pds, app_view): (TestPds, Upstream)) {
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    let feed = json!({"feed": [{"post": foreign_post("theirs", "2020-01-01T00:00:00.000Z")}]});
    app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &known)], feed.clone());
    let answer = alice.query(TIMELINE, &[("limit", "30")]).await;
    assert!(!answer.headers.contains_key("atproto-upstream-lag"));
    assert_eq!(answer.ok(), feed);
    let seen = app_view.last();
    assert_eq!(seen.path, format!("/xrpc/{TIMELINE}?limit=30"));
    verified(&pds, &alice, seen.token(), APP_VIEW, Some(TIMELINE)).await;

    rename(&alice, "Alice").await;
    alice.post("new").await;
    alice.post("newer").await;
    let answer = alice.query(TIMELINE, &[]).await;
    let lag: i64 = answer.headers["atproto-upstream-lag"].to_str().unwrap().parse().unwrap();
    assert!((0..60_000).contains(&lag), "{lag}");
    assert_eq!(answer.headers["atproto-repo-rev"].to_str().unwrap(), known);
    let answer = answer.ok();
    assert_eq!(texts(&answer), ["newer", "new", "theirs"]);
    assert_eq!(answer["feed"][0]["post"]["author"]["displayName"], "Alice");

    // Nobody else's timeline has them, nor one of which the app view knows everything.
    let bob = pds.person("bob").await;
    assert_eq!(texts(&bob.query(TIMELINE, &[]).await.ok()), ["theirs"]);
    app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &rev(&pds, &alice).await)], feed.clone());
    assert_eq!(alice.query(TIMELINE, &[]).await.ok(), feed);
    app_view.json(TIMELINE, 200, &[], feed.clone());
    assert_eq!(alice.query(TIMELINE, &[]).await.ok(), feed);
    // A repository that the app view has not seen at all came from elsewhere.
    app_view.json(TIMELINE, 200, &[("atproto-repo-rev", "2222222222222")], feed.clone());
    assert_eq!(alice.query(TIMELINE, &[]).await.ok(), feed);
}

#[tokio::test]
async fn new_posts_are_in_the_timeline_sqlite() {
    new_posts_are_in_the_timeline(start(Database::sqlite()).await).await;
}

#[tokio::test]
async fn new_posts_are_in_the_timeline_postgres() {
    new_posts_are_in_the_timeline(start(Database::postgres().await).await).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_merged_stays_as_it_came() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    alice.post("new").await;
    for body in [json!({"feed": "none"}), json!([]), json!({"feed": [{"post": {}}]})] {
        app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &known)], body.clone());
        let answer = alice.query(TIMELINE, &[]).await;
        assert!(answer.headers.contains_key("atproto-upstream-lag"));
        assert_eq!(answer.ok(), body);
    }
    // A post that quotes another one whose app view is away.
    let quote = json!({"$type": "app.bsky.embed.record", "record": {
        "uri": format!("at://{OTHER}/app.bsky.feed.post/theirs"),
        "cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
    }});
    let post = json!({"$type": "app.bsky.feed.post", "text": "quote", "createdAt": "2026-01-01T00:00:00.000Z", "embed": quote});
    alice.create("app.bsky.feed.post", post).await.ok();
    let feed = json!({"feed": []});
    app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &known)], feed.clone());
    assert_eq!(alice.query(TIMELINE, &[]).await.ok(), feed);
    app_view.json(
        "app.bsky.feed.getPosts",
        200,
        &[],
        json!({"posts": [foreign_post("theirs", "2020-01-01T00:00:00.000Z")]}),
    );
    let answer = alice.query(TIMELINE, &[]).await.ok();
    assert_eq!(texts(&answer), ["quote", "new"]);
    assert_eq!(answer["feed"][0]["post"]["embed"]["record"]["value"]["text"], "theirs");
    let asked = app_view.seen().into_iter().rev().find(|seen| seen.path.contains("getPosts")).unwrap();
    verified(&pds, &alice, asked.token(), APP_VIEW, Some("app.bsky.feed.getPosts")).await;
}

#[tokio::test]
async fn a_compressed_answer_is_merged_too() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    // `{"feed":[]}`, compressed with gzip.
    let zipped =
        data_encoding::HEXLOWER.decode(b"1f8b08000000000002ffab564a4b4d4d51b28a8ead050021446a650b000000").unwrap();
    app_view.answer(TIMELINE, move |_| {
        let response = axum::response::Response::builder()
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("atproto-repo-rev", &known);
        let response = response.body(axum::body::Body::from(zipped.clone())).unwrap();
        Box::pin(async move { response })
    });
    let client = reqwest::Client::builder().no_gzip().build().unwrap();
    let ask = async || {
        let request = client.get(format!("{}/xrpc/{TIMELINE}", pds.url)).bearer_auth(&alice.access);
        send(request.header("accept-encoding", "gzip")).await
    };
    // Not for this client to undo.
    let same = ask().await;
    assert_eq!(same.headers["content-encoding"], "gzip");
    alice.post("new").await;
    // This client undoes what the server has done.
    assert_eq!(texts(&alice.query(TIMELINE, &[]).await.ok()), ["new"]);
}

#[tokio::test]
async fn new_posts_that_would_take_much_memory_are_left_out() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    alice.post("first").await;
    // A few bytes each and some hundred as values; and more bytes than people write.
    for more in [json!(vec![[0]; 8_000]), json!("x".repeat(70_000))] {
        let post = json!({"$type": "app.bsky.feed.post", "text": "heavy", "createdAt": "2026-01-01T00:00:00.000Z", "more": more});
        alice.create("app.bsky.feed.post", post).await.ok();
    }
    alice.post("last").await;
    app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &known)], json!({"feed": []}));
    assert_eq!(texts(&alice.query(TIMELINE, &[]).await.ok()), ["last", "first"]);
}

/// MERGE: 2 MB of an own service took 200 MB.
#[tokio::test]
async fn an_answer_that_would_take_much_memory_is_passed_on_as_it_is() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    alice.post("new").await;
    let mut answers = [json!({"feed": [], "more": vec![0; 100_000]}), json!({"feed": [], "more": vec![[0]; 400_000]})];
    for (answer, expected) in answers.iter_mut().zip([&["new"][..], &[]]) {
        app_view.json(TIMELINE, 200, &[("atproto-repo-rev", &known)], answer.take());
        assert_eq!(texts(&alice.query(TIMELINE, &[]).await.ok()), expected);
    }
}
