//! Writes to one repository that come faster than the database stores them are built on each other.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{harness::Person, on_both};

const THING: &str = "com.example.thing";

fn thing(n: usize) -> Value {
    json!({"$type": THING, "n": n})
}

/// The repository verifies and holds so many things.
async fn holds(person: &Person, things: usize) {
    let query = [("repo", &*person.did), ("collection", THING), ("limit", "100")];
    let answer = person.query("com.atproto.repo.listRecords", &query).await.ok();
    assert_eq!(answer["records"].as_array().unwrap().len(), things);
}

on_both!(each_of_many_writes_at_once_is_a_commit_of_its_own, |pds| async move {
    let alice = pds.person("alice").await;
    let answers = join_all((0..60).map(|n| alice.create(THING, thing(n)))).await;
    let mut revs = HashSet::new();
    for answer in answers {
        revs.insert(answer.ok()["commit"]["rev"].as_str().unwrap().to_owned());
    }
    assert_eq!(revs.len(), 60);
    holds(&alice, 60).await;
});

on_both!(one_that_cannot_be_stored_takes_no_other_with_it, |pds| async move {
    let alice = pds.person("alice").await;
    let missing = json!({"$type": THING, "blob": {
        "$type": "blob", "mimeType": "image/png", "size": 1,
        "ref": {"$link": "bafkreidlp6sdj6jkroakvmbntpy2clsj77foijheae5byt3iwz7d2k542a"},
    }});
    let writes = (0..40).map(|n| alice.create(THING, if n % 10 == 5 { missing.clone() } else { thing(n) }));
    for (n, answer) in join_all(writes).await.into_iter().enumerate() {
        if n % 10 == 5 {
            assert_eq!(answer.error(), (400, "BlobNotFound"));
        } else {
            answer.ok();
        }
    }
    holds(&alice, 36).await;
});

on_both!(a_condition_is_judged_by_what_is_stored, |pds| async move {
    let alice = pds.person("alice").await;
    let first = alice.create(THING, thing(0)).await.ok();
    // Of many that want to be next after the first, one is.
    let after_first = |n: usize| json!({"repo": alice.did, "collection": THING, "record": thing(n), "swapCommit": first["commit"]["cid"]});
    let answers = join_all((1..20).map(|n| alice.call("com.atproto.repo.createRecord", after_first(n)))).await;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(stored.len(), 1);
    assert!(refused.iter().all(|answer| answer.error() == (400, "InvalidSwap")));
    holds(&alice, 2).await;
});

on_both!(likes_of_one_post_at_once_leave_one, |pds| async move {
    let alice = pds.person("alice").await;
    let like = json!({"$type": "app.bsky.feed.like", "createdAt": "2026-01-01T00:00:00Z",
        "subject": {"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3k2a", "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}});
    let writes = (0..30).map(|n| {
        let (alice, like) = (&alice, like.clone());
        async move {
            if n % 2 == 0 {
                alice.create("app.bsky.feed.like", like).await
            } else {
                alice.create(THING, thing(n)).await
            }
        }
    });
    for answer in join_all(writes).await {
        answer.ok();
    }
    let likes = [("repo", &*alice.did), ("collection", "app.bsky.feed.like")];
    assert_eq!(alice.query("com.atproto.repo.listRecords", &likes).await.ok()["records"].as_array().unwrap().len(), 1);
    holds(&alice, 15).await;
});
