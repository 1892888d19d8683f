//! `app.bsky.feed.*`: what the caller has just written is in the answer, whether or not the app view has seen it.

use serde_json::{Value, json};

use crate::{
    harness::{APP_VIEW, Database, Person, TestPds, Upstream, send},
    proxy::token::verified,
};

const TIMELINE: &str = "app.bsky.feed.getTimeline";
const THREAD: &str = "app.bsky.feed.getPostThread";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

async fn start(database: Database) -> (TestPds, Upstream) {
    let app_view = Upstream::start().await;
    (TestPds::with(database, &app_view.as_app_view()).await, app_view)
}

/// The revision of a repository.
async fn rev(pds: &TestPds, person: &Person) -> String {
    let answer = pds.query("com.atproto.sync.getLatestCommit", &[("did", &person.did)]).await.ok();
    answer["rev"].as_str().unwrap().to_owned()
}

fn foreign_post(rkey: &str, time: &str) -> Value {
    json!({
        "uri": format!("at://{OTHER}/app.bsky.feed.post/{rkey}"),
        "cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
        "author": {"did": OTHER, "handle": "bob.test"}, "indexedAt": time,
        "record": {"$type": "app.bsky.feed.post", "text": rkey, "createdAt": time},
    })
}

fn texts(answer: &Value) -> Vec<&str> {
    let feed = answer["feed"].as_array().unwrap();
    feed.iter().map(|item| item["post"]["record"]["text"].as_str().unwrap()).collect()
}

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

    let profile = json!({"$type": "app.bsky.actor.profile", "displayName": "Alice"});
    let input = json!({"repo": alice.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile});
    alice.call("com.atproto.repo.putRecord", input).await.ok();
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
async fn profiles_show_what_was_written_last() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(&pds, &alice).await;
    let view = json!({"did": alice.did, "handle": alice.handle, "displayName": "Old", "description": "old"});
    let profile = json!({"$type": "app.bsky.actor.profile", "displayName": "New"});
    let input = json!({"repo": alice.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile});
    alice.call("com.atproto.repo.putRecord", input).await.ok();
    app_view.json("app.bsky.actor.getProfile", 200, &[("atproto-repo-rev", &known)], view.clone());
    let answer = alice.query("app.bsky.actor.getProfile", &[("actor", &alice.did)]).await;
    assert!(answer.headers.contains_key("atproto-upstream-lag"));
    assert_eq!(answer.ok(), json!({"did": alice.did, "handle": alice.handle, "displayName": "New"}));
    let other = json!({"did": OTHER, "handle": "bob.test", "displayName": "Bob"});
    app_view.json(
        "app.bsky.actor.getProfiles",
        200,
        &[("atproto-repo-rev", &known)],
        json!({"profiles": [view, other]}),
    );
    let params = [("actors", alice.did.as_str()), ("actors", OTHER)];
    let answer = alice.query("app.bsky.actor.getProfiles", &params).await.ok();
    assert_eq!(answer["profiles"][0]["displayName"], "New");
    assert_eq!(answer["profiles"][1], other);
    for (method, body) in
        [("app.bsky.feed.getActorLikes", json!({"feed": []})), ("app.bsky.feed.getAuthorFeed", json!({"feed": []}))]
    {
        app_view.json(method, 200, &[("atproto-repo-rev", &known)], body.clone());
        assert_eq!(alice.query(method, &[("actor", &alice.did)]).await.ok(), body);
    }
}

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

#[tokio::test]
async fn the_token_for_a_feed_is_for_its_generator() {
    let (pds, app_view) = start(Database::sqlite()).await;
    let alice = pds.person("alice").await;
    const FEED: &str = "app.bsky.feed.getFeed";
    const RECORD: &str = "com.atproto.repo.getRecord";
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
