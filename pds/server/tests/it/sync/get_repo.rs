//! `com.atproto.sync.getRepo`.

use std::collections::HashMap;

use bytes::Bytes;
use pds_repo::{Cid, car};
use serde_json::{Value, json};

use super::verify;
use crate::{
    harness::{Person, TestPds},
    on_both,
};

const THING: &str = "com.example.thing";

async fn apply(alice: &Person, writes: Vec<Value>) {
    alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await.ok();
}

async fn rev(pds: &TestPds, alice: &Person) -> String {
    let latest = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
    latest["rev"].as_str().unwrap().to_owned()
}

async fn since(pds: &TestPds, alice: &Person, rev: &str) -> Bytes {
    let request = pds.get("com.atproto.sync.getRepo").query(&[("did", alice.did.as_str()), ("since", rev)]);
    request.send().await.unwrap().bytes().await.unwrap()
}

/// The blocks of both files with the second one's root.
fn merged(base: &[u8], diff: &[u8]) -> Bytes {
    let blocks: HashMap<Cid, Bytes> = [base, diff]
        .into_iter()
        .flat_map(|file| car::Reader::new(file).unwrap())
        .map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap())
        .collect();
    car::write(&car::Reader::new(diff).unwrap().root, blocks.iter())
}

on_both!(since_gives_what_deletions_and_updates_changed, |pds| async move {
    // AL-SYN-2
    let alice = pds.person("alice").await;
    let create = |n: usize| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": THING, "rkey": format!("k{n:03}"), "value": {"text": "x".repeat(300)}});
    apply(&alice, (0..200).map(create).collect()).await;
    let (base, begun) = (alice.car().await, rev(&pds, &alice).await);

    let delete = |n: usize| json!({"$type": "com.atproto.repo.applyWrites#delete", "collection": THING, "rkey": format!("k{n:03}")});
    apply(&alice, [17, 63, 64, 65, 101, 199].map(delete).to_vec()).await;
    let only_deleted = since(&pds, &alice, &begun).await;
    assert_eq!(verify(&merged(&base, &only_deleted), &alice.did), 194);
    assert!(only_deleted.len() < base.len() / 2, "{} of {}", only_deleted.len(), base.len());

    let update = json!({"$type": "com.atproto.repo.applyWrites#update", "collection": THING, "rkey": "k000", "value": {"text": "new"}});
    apply(&alice, vec![update, create(500)]).await;
    assert_eq!(verify(&merged(&base, &since(&pds, &alice, &begun).await), &alice.did), 195);

    // Nothing since: the commit and the root it signs. A revision of the future: everything.
    let now = rev(&pds, &alice).await;
    assert_eq!(car::Reader::new(&since(&pds, &alice, &now).await).unwrap().count(), 2);
    assert_eq!(verify(&since(&pds, &alice, "7zzzzzzzzzzzz").await, &alice.did), 195);
});
