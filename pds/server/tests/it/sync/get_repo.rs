//! `com.atproto.sync.getRepo`.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use pds_repo::{Cid, car};
use serde_json::{Value, json};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{sleep, timeout},
};

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

/// F11
#[tokio::test]
async fn slow_readers_keep_nobody_from_an_export_and_get_all_of_theirs() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    for n in 0..24 {
        alice.create(THING, json!({"n": n, "text": "x".repeat(500_000)})).await.ok();
    }
    let host = pds.url.trim_start_matches("http://").to_owned();
    let mut slow = Vec::new();
    for _ in 0..20 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
        let did = &alice.did;
        let head = format!("GET /xrpc/com.atproto.sync.getRepo?did={did} HTTP/1.0\r\nHost: {host}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let first = slow.iter_mut().map(|stream| stream.readable());
    timeout(Duration::from_secs(60), futures::future::join_all(first)).await.expect("all begin, each after the others");

    let fast = timeout(Duration::from_secs(8), alice.car()).await.expect("an export while others stall");
    assert_eq!(verify(&fast, &alice.did), 24);

    // Longer than the database waits for anybody.
    sleep(Duration::from_secs(5)).await;
    let mut file = Vec::new();
    slow[0].read_to_end(&mut file).await.unwrap();
    let body = file.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert!(file.starts_with(b"HTTP/1.0 200"));
    assert_eq!(verify(&file[body..], &alice.did), 24);
}
