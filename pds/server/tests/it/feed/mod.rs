//! `app.bsky.feed.*`: the app view's answers, with what the caller has just written.

mod get_actor_likes;
mod get_author_feed;
mod get_feed;
mod get_post_thread;
mod get_timeline;

use serde_json::{Value, json};

use crate::harness::{Database, Person, TestPds, Upstream};

const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

pub(crate) async fn start(database: Database) -> (TestPds, Upstream) {
    let app_view = Upstream::start().await;
    (TestPds::with(database, &app_view.as_app_view()).await, app_view)
}

/// The revision of a repository.
pub(crate) async fn rev(pds: &TestPds, person: &Person) -> String {
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

/// Somebody with a new name and a new post, the revision before both, and how an app view that has seen neither shows an old post.
async fn unseen(pds: &TestPds) -> (Person, String, Value) {
    let alice = pds.person("alice").await;
    alice.post("seen").await;
    let known = rev(pds, &alice).await;
    rename(&alice, "New").await;
    alice.post("new").await;
    let mut old = foreign_post("old", "2020-01-01T00:00:00.000Z");
    old["author"] = json!({"did": alice.did, "handle": alice.handle, "displayName": "Old"});
    (alice, known, old)
}

/// Changes the name in the profile of a person.
pub(crate) async fn rename(person: &Person, name: &str) {
    let profile = json!({"$type": "app.bsky.actor.profile", "displayName": name});
    let input = json!({"repo": person.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile});
    person.call("com.atproto.repo.putRecord", input).await.ok();
}
