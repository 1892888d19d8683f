//! `com.atproto.repo.importRepo` and `com.atproto.repo.listMissingBlobs`.

mod faults;
mod others;
mod references;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use pds_crypto::SigningKey;
use pds_repo::{
    Cid, car,
    cbor::Writer,
    commit,
    mst::{Item, Tree, height},
    record,
};
use pds_store::{account, event};
use pds_syntax::{Did, Tid};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Person, TestPds, send},
    on_both,
    sync::verify,
};

const METHOD: &str = "com.atproto.repo.importRepo";
const CAR: &str = "application/vnd.ipld.car";
const THING: &str = "com.example.thing";

type Blocks = Vec<(Cid, Bytes)>;

fn blocks(file: &[u8]) -> Blocks {
    let blocks = car::Reader::new(file).unwrap();
    blocks.map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap()).collect()
}

fn file(root: &Cid, blocks: &Blocks) -> Vec<u8> {
    car::write(root, blocks.iter().map(|(cid, block)| (cid, block))).to_vec()
}

fn commit_of(file: &[u8]) -> commit::Commit {
    let root = car::Reader::new(file).unwrap().root;
    commit::decode(&blocks(file).iter().find(|(cid, _)| *cid == root).unwrap().1).unwrap()
}

/// The blocks under a commit for `did`, as another host would have signed it.
fn signed(did: &str, data: &Cid, under: Blocks) -> Vec<u8> {
    signed_at(Tid::from_micros(1_700_000_000_000_000, 0), did, data, under)
}

fn signed_at(rev: Tid, did: &str, data: &Cid, mut under: Blocks) -> Vec<u8> {
    let did: Did = did.parse().unwrap();
    let commit = commit::sign(&did, rev, data, &SigningKey::generate());
    under.insert(0, (commit.cid, commit.bytes));
    file(&under[0].0, &under)
}

/// A repository made elsewhere.
fn elsewhere(did: &str, records: &BTreeMap<String, Value>) -> Vec<u8> {
    let encoded: BTreeMap<_, _> =
        records.iter().map(|(path, value)| (path, record::from_json(value).unwrap())).collect();
    let tree = Tree::from_sorted(encoded.iter().map(|(path, record)| (Arc::from(path.as_str()), record.cid)));
    let block = |item| match item {
        Item::Node(cid, block) => (cid, block),
        Item::Record(path, cid) => (cid, encoded[&path.to_string()].bytes.clone()),
    };
    signed(did, &tree.root(), tree.preorder().map(block).collect())
}

/// A node with these keys and nothing below.
fn node(entries: &[(&str, Cid)]) -> (Cid, Bytes) {
    let mut out = Writer::default();
    out.map(2).text("e").array(entries.len());
    for (key, cid) in entries {
        out.map(4).text("k").bytes(key.as_bytes()).text("p").int(0).text("t").null().text("v").link(cid);
    }
    out.text("l").null();
    let block = Bytes::from(out.into_bytes());
    (Cid::dag_cbor(&block), block)
}

async fn import(pds: &TestPds, person: &Person, file: Vec<u8>) -> Answer {
    send(pds.post(METHOD).bearer_auth(&person.access).header("content-type", CAR).body(file)).await
}

/// Moves a repository in whose records refer to these blobs.
pub(crate) async fn with_blobs(pds: &TestPds, person: &Person, blobs: impl Iterator<Item = Vec<u8>>) {
    let record = |(n, bytes): (usize, Vec<u8>)| {
        let blob =
            json!({"$type": "blob", "ref": {"$link": Cid::raw(&bytes)}, "mimeType": "text/plain", "size": bytes.len()});
        (format!("{THING}/{n:05}"), json!({"$type": THING, "blob": blob}))
    };
    import(pds, person, elsewhere(&person.did, &blobs.enumerate().map(record).collect())).await.ok();
}

async fn records(person: &Person, collection: &str) -> Vec<(String, Value)> {
    let params = [("repo", person.did.as_str()), ("collection", collection), ("limit", "100")];
    let listed = person.query("com.atproto.repo.listRecords", &params).await.ok();
    let key = |record: &Value| record["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    listed["records"].as_array().unwrap().iter().map(|record| (key(record), record["value"].clone())).collect()
}

async fn missing(person: &Person, params: &[(&str, &str)]) -> Value {
    person.query("com.atproto.repo.listMissingBlobs", params).await.ok()
}

async fn latest(pds: &TestPds, person: &Person) -> Value {
    pds.query("com.atproto.sync.getLatestCommit", &[("did", &person.did)]).await.ok()
}

async fn put(person: &Person, rkey: &str, value: Value) {
    let input = json!({"repo": person.did, "collection": THING, "rkey": rkey, "record": value});
    person.call("com.atproto.repo.putRecord", input).await.ok();
}

async fn set_state(pds: &TestPds, person: &Person, deactivated: bool, takedown: Option<&str>) {
    let did = person.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, id, deactivated.then_some(1), None).await.unwrap();
    account::set_takedown(&mut tx, id, takedown).await.unwrap();
    tx.commit().await.unwrap();
}

on_both!(a_repository_moves_in_over_another, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    for n in 0..20 {
        bob.post(&format!("post {n}")).await;
    }
    let follow = json!({"$type": "app.bsky.graph.follow", "subject": bob.did, "createdAt": "2026-01-01T00:00:00Z"});
    bob.create("app.bsky.graph.follow", follow.clone()).await.ok();
    let picture = bob.upload(b"\x89PNG\r\n\x1a\n a picture".to_vec(), "image/png").await.ok()["blob"].clone();
    put(&bob, "picture", json!({"$type": THING, "picture": picture})).await;
    put(&bob, "same", json!({"$type": THING, "n": 1})).await;
    put(&bob, "changed", json!({"$type": THING, "n": 2})).await;
    // What is there gives way, but for the same.
    put(&alice, "same", json!({"$type": THING, "n": 1})).await;
    put(&alice, "changed", json!({"$type": THING, "n": 1})).await;
    put(&alice, "gone", json!({"$type": THING, "n": 1})).await;
    alice.post("gone too").await;

    let theirs = bob.car().await;
    let data = commit_of(&theirs).data;
    let under = blocks(&theirs).split_off(1);
    let mut firehose = pds.firehose(None).await;
    assert_eq!(import(&pds, &alice, signed(&alice.did, &data, under.clone())).await.ok(), "");

    // The same content under a head of this host's own.
    let imported = alice.car().await;
    assert_eq!((verify(&imported, &alice.did), commit_of(&imported).data), (24, data));
    let did: Did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let actor = pds.app.actors.load(id, &did).await.unwrap();
    commit_of(&imported).verify(&actor.key.public()).unwrap();
    for collection in ["app.bsky.feed.post", "app.bsky.graph.follow", THING] {
        assert_eq!(records(&alice, collection).await, records(&bob, collection).await, "{collection}");
    }
    // Again: there is nothing to do.
    let head = latest(&pds, &alice).await;
    import(&pds, &alice, signed(&alice.did, &data, under)).await.ok();
    assert_eq!(latest(&pds, &alice).await, head);

    // A second follow of the same takes the first one's place, as for records written here.
    alice.create("app.bsky.graph.follow", follow).await.ok();
    assert_eq!(records(&alice, "app.bsky.graph.follow").await.len(), 1);
    let (sync, commit) = (firehose.next().await, firehose.next().await);
    assert_eq!((sync.kind.as_str(), commit.kind.as_str()), ("#sync", "#commit"));
    assert_eq!(commit.ops.len(), 2);
    assert_eq!(verify(&alice.car().await, &alice.did), 24);

    // The picture is bob's; alice brings her own.
    let cid = picture["ref"]["$link"].as_str().unwrap();
    let uri = format!("at://{}/{THING}/picture", alice.did);
    let wanted = json!({"cursor": cid, "blobs": [{"cid": cid, "recordUri": uri}]});
    assert_eq!(missing(&alice, &[]).await, wanted);
    assert_eq!(missing(&alice, &[("cursor", cid), ("limit", "1")]).await, json!({"blobs": []}));
    assert_eq!(missing(&bob, &[]).await, json!({"blobs": []}));
    let blob = [("did", alice.did.as_str()), ("cid", cid)];
    assert_ne!(pds.query("com.atproto.sync.getBlob", &blob).await.status, 200);
    alice.upload(b"\x89PNG\r\n\x1a\n a picture".to_vec(), "image/png").await.ok();
    assert_eq!(missing(&alice, &[]).await, json!({"blobs": []}));
    let served = pds.get("com.atproto.sync.getBlob").query(&blob).send().await.unwrap();
    assert_eq!((served.status().as_u16(), &served.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
});

on_both!(an_account_that_moves_here_is_not_announced_yet, |pds| async move {
    let alice = pds.person("alice").await;
    let records: BTreeMap<_, _> = (0..900)
        .map(|n| (format!("{THING}/{n:05}"), json!({"$type": THING, "n": n, "text": "x".repeat(n % 500)})))
        .collect();
    let file = elsewhere(&alice.did, &records);
    set_state(&pds, &alice, true, None).await;
    let before = event::head(&pds.app.db).await.unwrap();

    import(&pds, &alice, file.clone()).await.ok();

    assert_eq!(event::head(&pds.app.db).await.unwrap(), before);
    set_state(&pds, &alice, false, None).await;
    let exported = alice.car().await;
    assert_eq!((verify(&exported, &alice.did), commit_of(&exported).data), (900, commit_of(&file).data));
    alice.post("hello").await;
    assert_eq!(verify(&alice.car().await, &alice.did), 901);
    assert_eq!(event::head(&pds.app.db).await.unwrap(), before + 1);

    // And out again: everything goes.
    import(&pds, &alice, elsewhere(&alice.did, &BTreeMap::new())).await.ok();
    assert_eq!(verify(&alice.car().await, &alice.did), 0);
    set_state(&pds, &alice, false, Some("case 1")).await;
    assert_eq!(import(&pds, &alice, file).await.error(), (401, "AccountTakedown"));
});

on_both!(nothing_of_a_bad_file_is_kept, |pds| async move {
    let alice = pds.person("alice").await;
    put(&alice, "kept", json!({"$type": THING, "n": 1})).await;
    let records: BTreeMap<_, _> =
        (0..300).map(|n| (format!("{THING}/{n:05}"), json!({"$type": THING, "n": n}))).collect();
    let good = elsewhere(&alice.did, &records);
    let (all, data) = (blocks(&good), commit_of(&good).data);
    let without = |gone: &dyn Fn(&Cid) -> bool| {
        let rest = all.iter().skip(1).filter(|(cid, _)| !gone(cid)).cloned().collect();
        signed(&alice.did, &data, rest)
    };
    let value = record::from_json(&records[&format!("{THING}/00007")]).unwrap().cid;
    let thing = record::from_json(&json!({"$type": THING})).unwrap();
    let leaf = all.iter().skip(2).find(|(_, block)| block.starts_with(&[0xa2, 0x61, b'e'])).unwrap().0;
    let at = |level| records.keys().find(|key| height(key) == level).unwrap().as_str();
    let mut levels = [(at(0), thing.cid), (at(1), thing.cid)];
    levels.sort();
    let flat = node(&levels);
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let head = latest(&pds, &alice).await;
    let events = event::head(&pds.app.db).await.unwrap();

    for (bad, says) in [
        (elsewhere("did:plc:ewvi7nxzyoun6zhxrhs64oiz", &records), "the commit is of did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
        (file(&value, &all), "is not a commit"),
        (file(&Cid::dag_cbor(b"nothing"), &all), "is not a commit"),
        (signed(&alice.did, &Cid::dag_cbor(b"nothing"), all[1..].to_vec()), "is missing"),
        (without(&|cid| *cid == leaf), "is missing"),
        (signed(&alice.did, &flat.0.clone(), vec![flat, (thing.cid, thing.bytes.clone())]), "is not valid"),
        (good[..good.len() - 10].to_vec(), "cut or damaged"),
        (damaged, "does not hash"),
        (b"nonsense".to_vec(), "header"),
        (Vec::new(), "header"),
    ] {
        let answer = import(&pds, &alice, bad).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{says}: {}", answer.body);
        assert!(answer.body["message"].as_str().unwrap().contains(says), "{says}: {}", answer.body);
    }

    let request = || pds.post(METHOD).bearer_auth(&alice.access);
    let large = vec![0; (4 << 20) + 1];
    let told = send(request().header("content-type", CAR).body(large.clone())).await;
    let mut padded = good.clone();
    let padding = Bytes::from(vec![0; 1 << 20]);
    (0..4u8).for_each(|n| {
        let block = Bytes::from([&[n], &padding[..]].concat());
        padded.extend_from_slice(&file(&value, &vec![(Cid::raw(&block), block)])[car::header(&value).len()..]);
    });
    let pieces = futures::stream::iter(padded.chunks(100_000).map(Bytes::copy_from_slice).collect::<Vec<_>>());
    let pieces = reqwest::Body::wrap_stream(futures::StreamExt::map(pieces, Ok::<_, std::io::Error>));
    let untold = send(request().header("content-type", CAR).body(pieces)).await;
    for answer in [told, untold] {
        assert_eq!(answer.error(), (413, "PayloadTooLargeError"), "{}", answer.body);
    }
    for (kind, body) in [("application/json", b"{}".to_vec()), ("application/octet-stream", good.clone())] {
        let answer = send(request().header("content-type", kind).body(body)).await;
        assert_eq!(answer.error(), (400, "InvalidRequest"), "{}", answer.body);
    }
    assert_eq!(send(pds.post(METHOD).header("content-type", CAR).body(good.clone())).await.status, 401);
    let refresh = pds.post(METHOD).bearer_auth(&alice.refresh).header("content-type", CAR).body(good.clone());
    assert_eq!(send(refresh).await.error(), (400, "InvalidToken"));

    assert_eq!((latest(&pds, &alice).await, event::head(&pds.app.db).await.unwrap()), (head, events));
    assert_eq!(verify(&alice.car().await, &alice.did), 1);
    import(&pds, &alice, good).await.ok();
    assert_eq!(verify(&alice.car().await, &alice.did), 300);
});

#[tokio::test]
async fn an_account_imports_one_file_at_a_time() {
    let pds = TestPds::sqlite().await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let records = BTreeMap::from([(format!("{THING}/new"), json!({"$type": THING}))]);
    let good = elsewhere(&alice.did, &records);
    let (begin, end) = good.split_at(100);

    // One that has begun to send, and one that comes while it does. If they come the other way round the first is refused: once more.
    let (pieces, slow, refused) = loop {
        let (pieces, body) = futures::channel::mpsc::unbounded::<std::io::Result<Vec<u8>>>();
        pieces.unbounded_send(Ok(begin.to_vec())).unwrap();
        let slow = pds.post(METHOD).bearer_auth(&alice.access).header("content-type", CAR);
        let slow = tokio::spawn(send(slow.body(reqwest::Body::wrap_stream(body))));
        latest(&pds, &alice).await;
        let answer = import(&pds, &alice, good.clone()).await;
        if answer.status != 200 {
            break (pieces, slow, answer);
        }
        drop(pieces);
        slow.await.unwrap();
    };
    assert_eq!(refused.error(), (503, "ServiceUnavailable"));
    assert!(refused.headers.contains_key("retry-after"));
    import(&pds, &bob, elsewhere(&bob.did, &records)).await.ok();

    pieces.unbounded_send(Ok(end.to_vec())).unwrap();
    drop(pieces);
    slow.await.unwrap().ok();
    import(&pds, &alice, good.clone()).await.ok();
    assert_eq!(verify(&alice.car().await, &alice.did), 1);
}

#[tokio::test]
async fn a_replica_that_remembers_the_repository_before_goes_on() {
    let one = TestPds::postgres().await;
    let two = one.replica().await;
    let here = one.person("alice").await;
    let there = here.at(&two.url);
    here.post("remembered").await;

    import(&two, &there, elsewhere(&here.did, &BTreeMap::from([(format!("{THING}/new"), json!({"$type": THING}))])))
        .await
        .ok();
    here.post("later").await;
    // And the other way round.
    import(&two, &there, elsewhere(&here.did, &BTreeMap::new())).await.ok();
    there.post("last").await;
    assert_eq!(verify(&here.car().await, &here.did), 1);
}

async fn records_of(person: &Person) -> Vec<(String, Value)> {
    records(person, THING).await
}
