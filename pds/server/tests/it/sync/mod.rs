//! `com.atproto.sync.*`: exports, proofs, the firehose, several replicas.

mod blob_redirect;
mod get_blob;
mod get_blocks;
mod get_checkout;
mod get_head;
mod get_latest_commit;
mod get_record;
mod get_repo;
mod get_repo_status;
mod list_blobs;
mod list_repos;
mod subscribe_repos;

use std::collections::HashMap;

use bytes::Bytes;
use pds_repo::{Action, Cid, car, commit, mst::Tree};
use serde_json::json;

use crate::{
    harness::{Event, TestPds},
    on_both,
};

/// Reads an export: signed by `did`, whole, every record there. The number of records.
pub(crate) fn verify(bytes: &[u8], did: &str) -> usize {
    let reader = car::Reader::new(bytes).unwrap();
    let root = reader.root;
    let blocks: HashMap<Cid, Bytes> =
        reader.map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap()).collect();
    let commit = commit::decode(&blocks[&root]).unwrap();
    assert_eq!(commit.did.as_str(), did);
    let tree = Tree::partial(&commit.data, &blocks).unwrap();
    tree.preorder()
        .filter(|item| match item {
            pds_repo::mst::Item::Record(path, cid) => blocks.contains_key(cid) || panic!("record {path} is missing"),
            pds_repo::mst::Item::Node(..) => false,
        })
        .count()
}

/// F2
#[tokio::test]
async fn a_repository_that_was_read_is_not_loaded_again() {
    let pds = TestPds::postgres().await;
    let alice = pds.person("alice").await;
    let rkey = alice.post("hello").await;
    let cold = pds.replica().await;
    let collection = "app.bsky.feed.post";
    let params = [("did", alice.did.as_str()), ("collection", collection), ("rkey", rkey.as_str())];
    let prove = async || cold.get("com.atproto.sync.getRecord").query(&params).send().await.unwrap().status();
    assert_eq!(prove().await, 200);

    // A load would find a record that the signed tree does not have.
    pds.database.psql("insert into record (repo_id, path, cid, body, rev) select repo_id, 'zzz.zzz/1', cid, body, rev from record limit 1");
    assert_eq!(prove().await, 200);
    let another = pds.replica().await;
    let answer = another.get("com.atproto.sync.getRecord").query(&params).send().await.unwrap();
    assert_eq!(answer.status(), 500, "the load would be seen");
}

on_both!(an_export_verifies_and_since_gives_the_rest, |pds| async move {
    // AL-SYN-1, AL-SYN-2
    let alice = pds.person("alice").await;
    for n in 0..30 {
        alice.post(&format!("post {n}")).await;
    }
    assert_eq!(verify(&alice.car().await, &alice.did), 30);
    let rev = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok()["rev"]
        .as_str()
        .unwrap()
        .to_owned();
    let base = alice.car().await;
    alice.post("later").await;
    let answer =
        pds.get("com.atproto.sync.getRepo").query(&[("did", &alice.did), ("since", &rev)]).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.ipld.car");
    let diff = answer.bytes().await.unwrap();
    // All nodes go along, and those of such short posts are about half of the file.
    assert!(diff.len() < base.len() * 2 / 3, "{} of {}", diff.len(), base.len());
    // The old blocks and the new ones together are the repository of now.
    let mut blocks: HashMap<Cid, Bytes> = HashMap::new();
    for file in [&base[..], &diff[..]] {
        blocks.extend(
            car::Reader::new(file)
                .unwrap()
                .map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap()),
        );
    }
    let root = car::Reader::new(&diff).unwrap().root;
    let all: Vec<(Cid, Bytes)> = blocks.into_iter().collect();
    assert_eq!(verify(&car::write(&root, all.iter().map(|(cid, block)| (cid, block))), &alice.did), 31);
});

on_both!(proofs_and_blocks_verify, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hello").await;
    for (key, there) in [(rkey.as_str(), true), ("3k2a222222222", false)] {
        let params = [("did", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", key)];
        let bytes = pds.get("com.atproto.sync.getRecord").query(&params).send().await.unwrap().bytes().await.unwrap();
        let reader = car::Reader::new(&bytes).unwrap();
        let root = reader.root;
        let blocks: HashMap<Cid, Bytes> =
            reader.map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap()).collect();
        let tree = Tree::partial(&commit::decode(&blocks[&root]).unwrap().data, &blocks).unwrap();
        assert_eq!(tree.get(&format!("app.bsky.feed.post/{key}")).unwrap().is_some(), there);
    }
    let head = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok()["cid"]
        .as_str()
        .unwrap()
        .to_owned();
    let bytes = pds
        .get("com.atproto.sync.getBlocks")
        .query(&[("did", &alice.did), ("cids", &head)])
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(car::Reader::new(&bytes).unwrap().next().unwrap().unwrap().0.to_string(), head);
    let missing =
        [("did", alice.did.as_str()), ("cids", "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454")];
    assert_eq!(pds.query("com.atproto.sync.getBlocks", &missing).await.error(), (400, "BlockNotFound"));
    let nobody = [("did", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")];
    for method in ["getRepo", "getLatestCommit", "getRepoStatus", "listBlobs"] {
        assert_eq!(
            pds.query(&format!("com.atproto.sync.{method}"), &nobody).await.error(),
            (400, "RepoNotFound"),
            "{method}"
        );
    }
});

on_both!(repositories_are_listed_page_by_page, |pds| async move {
    // AL-SYN-4
    let mut dids = Vec::new();
    for n in 0..5 {
        dids.push(pds.person(&format!("person{n}")).await.did);
    }
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut params = vec![("limit", "2")];
        if let Some(cursor) = &cursor {
            params.push(("cursor", cursor));
        }
        let page = pds.query("com.atproto.sync.listRepos", &params).await.ok();
        seen.extend(page["repos"].as_array().unwrap().iter().map(|repo| repo["did"].as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, dids);
});

on_both!(the_firehose_tells_each_change_once_and_in_order, |pds| async move {
    // AL-SYN-5, AL-SYN-6
    let alice = pds.person("alice").await;
    let rkey = alice.post("one").await;
    let delete = json!({"repo": alice.did, "collection": "app.bsky.feed.post", "rkey": rkey});
    alice.call("com.atproto.repo.deleteRecord", delete).await.ok();

    let events = pds.firehose(Some(0)).await.take(6).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["#identity", "#account", "#commit", "#sync", "#commit", "#commit"]);
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!((events[4].ops[0].action, events[5].ops[0].action), (Action::Create, Action::Delete));
    assert_eq!(events[5].ops[0].prev, events[4].ops[0].cid);

    // From the middle, and a cursor that nobody was given.
    assert_eq!(pds.firehose(Some(4)).await.next().await, events[4]);
    assert_eq!(pds.firehose(Some(1000)).await.next().await.kind, "error");
    // Without a socket the answer is an error like any other.
    assert_eq!(pds.query("com.atproto.sync.subscribeRepos", &[]).await.error(), (400, "InvalidRequest"));
});

#[tokio::test]
async fn a_stream_ends_with_a_word_whoever_ends_it() {
    // AL-SYN-7
    let pds = TestPds::sqlite().await;
    let mut ahead = pds.firehose(Some(1000)).await;
    assert_eq!(ahead.next().await.kind, "error");
    assert_eq!(ahead.closed().await.as_deref(), Some("FutureCursor"));
    let mut follower = pds.firehose(None).await;
    follower.leave().await;
    assert!(follower.closed().await.is_some(), "a follower that leaves properly is let go properly");
}

#[tokio::test]
async fn two_replicas_write_to_one_repository_and_tell_the_same_story() {
    // AL-REP-1, AL-SYN-7
    let one = TestPds::postgres().await;
    let two = one.replica().await;
    let alice = one.person("alice").await;
    let start = 4;
    let writers = [alice.clone(), alice.at(&two.url), alice.clone(), alice.at(&two.url)];
    let posts = writers.iter().map(|writer| async move {
        for n in 0..15 {
            writer.post(&format!("post {n}")).await;
        }
    });
    futures::future::join_all(posts).await;

    let first: Vec<Event> = one.firehose(Some(0)).await.take(start + 60).await;
    let second: Vec<Event> = two.firehose(Some(0)).await.take(start + 60).await;
    assert_eq!(first, second);
    let sequence: Vec<i64> = first.iter().map(|event| event.seq).collect();
    assert_eq!(sequence, (1..=64).collect::<Vec<_>>());
    assert_eq!(verify(&alice.car().await, &alice.did), 60);
    assert_eq!(verify(&alice.at(&two.url).car().await, &alice.did), 60);
    // A follower may go on at the other replica.
    assert_eq!(two.firehose(Some(30)).await.next().await, first[30]);
}

#[tokio::test]
async fn a_replica_that_nobody_followed_for_a_while_misses_nothing() {
    // AL-SYN-7
    let one = TestPds::postgres().await;
    let two = one.replica().await;
    let here = one.person("alice").await;
    let there = here.at(&two.url);
    let numbers = |events: Vec<Event>| events.into_iter().map(|event| event.seq).collect::<Vec<_>>();
    let mut follower = two.firehose(Some(0)).await;
    assert_eq!(numbers(follower.take(4).await), [1, 2, 3, 4]);
    follower.leave().await;
    for writer in [&here, &there, &here] {
        writer.post("unseen").await;
    }
    let mut follower = two.firehose(Some(5)).await;
    assert_eq!(numbers(follower.take(2).await), [6, 7]);
    let mut other = two.firehose(None).await;
    here.post("seen").await;
    there.post("seen, too").await;
    assert_eq!(numbers(follower.take(2).await), [8, 9]);
    assert_eq!(numbers(other.take(2).await), [8, 9]);
}

#[tokio::test]
async fn an_export_that_stalls_while_the_account_writes_still_verifies() {
    // AL-SYN-1
    use futures::StreamExt;
    let pds = TestPds::postgres().await;
    let alice = pds.person("alice").await;
    for batch in 0..10 {
        let writes: Vec<_> = (0..200)
            .map(|n| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "rkey": format!("k{batch}-{n}"), "value": {"text": "x".repeat(500)}}))
            .collect();
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await.ok();
    }
    let answer = pds.get("com.atproto.sync.getRepo").query(&[("did", &alice.did)]).send().await.unwrap();
    let mut body = answer.bytes_stream();
    let mut bytes = body.next().await.unwrap().unwrap().to_vec();
    for n in 0..40 {
        let input = json!({"repo": alice.did, "collection": "com.example.thing", "rkey": format!("k{}-{n}", n % 10), "record": {"text": "changed"}});
        alice.call("com.atproto.repo.putRecord", input).await.ok();
    }
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(verify(&bytes, &alice.did), 2000);
}
