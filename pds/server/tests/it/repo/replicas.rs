//! Writes through a replica whose memory of the repository is behind another's.

use serde_json::json;

use super::get;
use crate::harness::TestPds;

const THING: &str = "com.example.thing";

#[tokio::test]
async fn nothing_to_do_is_not_believed_of_a_stale_memory() {
    let one = TestPds::postgres().await;
    let two = one.replica().await;
    let here = one.person("alice").await;
    let there = here.at(&two.url);
    let put = |n: i64| json!({"repo": here.did, "collection": THING, "rkey": "kept", "record": {"n": n}});
    let delete = json!({"repo": here.did, "collection": THING, "rkey": "later"});

    // The second replica remembers n = 1, the first makes it 2.
    there.call("com.atproto.repo.putRecord", put(1)).await.ok();
    here.call("com.atproto.repo.putRecord", put(2)).await.ok();
    let answer = there.call("com.atproto.repo.putRecord", put(1)).await.ok();
    assert!(answer["commit"]["rev"].is_string(), "{answer}");
    assert_eq!(get(&here, THING, "kept").await.ok()["value"]["n"], 1);

    // The second replica does not know of the record that it is to delete.
    let later = json!({"repo": here.did, "collection": THING, "rkey": "later", "record": {"n": 3}});
    here.call("com.atproto.repo.createRecord", later).await.ok();
    let answer = there.call("com.atproto.repo.deleteRecord", delete.clone()).await.ok();
    assert!(answer["commit"]["rev"].is_string(), "{answer}");
    assert_eq!(get(&here, THING, "later").await.error(), (400, "RecordNotFound"));
    // Now there is nothing to do, on both.
    for person in [&here, &there] {
        assert!(person.call("com.atproto.repo.deleteRecord", delete.clone()).await.ok()["commit"].is_null());
    }
}

#[tokio::test]
async fn likes_of_one_post_on_two_replicas_leave_one() {
    let one = TestPds::postgres().await;
    let two = one.replica().await;
    let here = one.person("alice").await;
    let there = here.at(&two.url);
    let like = json!({"$type": "app.bsky.feed.like", "createdAt": "2026-01-01T00:00:00Z",
        "subject": {"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3k2a", "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}});
    let likes = (0..24).map(|n| {
        let person = if n % 2 == 0 { &here } else { &there };
        person.create("app.bsky.feed.like", like.clone())
    });
    for answer in futures::future::join_all(likes).await {
        answer.ok();
    }
    let listed = here
        .query("com.atproto.repo.listRecords", &[("repo", &here.did), ("collection", "app.bsky.feed.like")])
        .await
        .ok();
    assert_eq!(listed["records"].as_array().unwrap().len(), 1, "{listed}");
}
