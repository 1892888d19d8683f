//! Clients that take as much as they can get: somebody else is answered all the same.

use std::{net::Ipv4Addr, time::Duration};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::harness::{Database, TestPds};

const THING: &str = "com.example.thing";

/// A connection from 127.0.0.`host`.
async fn connect_from(pds: &TestPds, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into()).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(pds.url.trim_start_matches("http://").parse().unwrap()).await.unwrap()
}

fn head(pds: &TestPds, line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {}\r\n{more}\r\n", pds.url.trim_start_matches("http://"))
}

#[tokio::test]
async fn a_block_that_is_asked_for_often_is_sent_once() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let cid = alice.create(THING, json!({"text": "x".repeat(100_000)})).await.ok()["cid"].clone();
    let query = format!("did={}{}", alice.did, format!("&cids={}", cid.as_str().unwrap()).repeat(50));
    let answer = pds.http.get(format!("{}/xrpc/com.atproto.sync.getBlocks?{query}", pds.url)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let bytes = answer.bytes().await.unwrap().len();
    assert!((100_000..110_000).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn inputs_of_too_many_values_or_blobs_are_refused() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    // A small object takes more than two kilobytes while it is checked and encoded.
    let objects = |n: usize| json!({"list": vec![json!({"a": 0}); n]});
    for large in [json!({"list": vec![0; 250_000]}), objects(60_000)] {
        let refused = alice.create(THING, large).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"));
        assert!(refused.body["message"].as_str().unwrap().contains("too many values"), "{}", refused.body);
    }
    alice.create(THING, json!({"list": vec![0; 50_000]})).await.ok();
    alice.create(THING, objects(5_000)).await.ok();

    let blob = alice.upload(b"one".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create(THING, json!({"blobs": vec![&blob; 3_000]})).await.ok();
    let other = |n: usize| {
        let mut other = blob.clone();
        other["size"] = n.into();
        other
    };
    let refused = alice.create(THING, json!({"blobs": (0..1_001).map(other).collect::<Vec<Value>>()})).await;
    assert_eq!(refused.body["message"], "Too many blobs. Max: 1000, Got: 1001");
}

#[tokio::test]
async fn links_that_are_no_cids_cost_nothing() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    for link in ["z".repeat(900_000), "9".repeat(900_000)] {
        assert_eq!(alice.create(THING, json!({"link": {"$link": link}})).await.error(), (400, "InvalidRequest"));
    }
}

#[tokio::test]
async fn unfinished_inputs_give_way_to_those_of_others() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_TRUSTED_PROXIES", "none")]).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let more = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n",
        alice.access
    );
    let head = head(&pds, "POST /xrpc/com.atproto.repo.applyWrites", &more);
    let mut unfinished = Vec::new();
    for _ in 0..100 {
        let mut stream = connect_from(&pds, 2).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may refuse in the middle.
        let _ = stream.write_all(&vec![b' '; 900_000]).await;
        unfinished.push(stream);
    }
    assert!(pds.app.inputs.used() <= 64 << 20, "{}", pds.app.inputs.used());
    bob.create(THING, json!({"text": "x".repeat(900_000)})).await.ok();
    drop(unfinished);
    timeout(Duration::from_secs(10), async {
        while pds.app.inputs.used() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the memory is free again");
}

#[tokio::test]
async fn a_newcomer_gets_a_connection_although_all_are_busy() {
    let pds =
        TestPds::with(Database::sqlite(), &[("PDS_TRUSTED_PROXIES", "none"), ("PDS_MAX_CONNECTIONS", "32")]).await;
    let more = "Content-Type: application/json\r\nContent-Length: 1000\r\n";
    let head = head(&pds, "POST /xrpc/com.atproto.server.createSession", more);
    let mut busy = Vec::new();
    for host in 2..6 {
        for _ in 0..8 {
            let mut stream = connect_from(&pds, host).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            busy.push(stream);
        }
    }
    timeout(Duration::from_secs(10), async {
        while pds.app.connections.count() < 32 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("all connections are taken");
    let answer = pds.http.get(format!("{}/livez", pds.url)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

/// Over HTTP/2 one connection has many requests, and each takes memory until it is answered.
#[tokio::test]
async fn requests_of_one_address_that_wait_leave_room_for_others() {
    let pds =
        TestPds::with(Database::sqlite(), &[("PDS_TRUSTED_PROXIES", "none"), ("PDS_MAX_CONNECTIONS", "128")]).await;
    let more = "Content-Type: application/json\r\nContent-Length: 1000\r\n";
    let head = head(&pds, "POST /xrpc/com.atproto.server.createSession", more);
    let mut open = Vec::new();
    for _ in 0..17 {
        let mut stream = connect_from(&pds, 2).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    // 16 wait for the rest of their input. One is refused, whichever came last.
    let refused = futures::future::select_all(open.iter_mut().map(|stream| {
        Box::pin(async move {
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            String::from_utf8(answer.into()).unwrap()
        })
    }));
    let (answer, ..) = timeout(Duration::from_secs(10), refused).await.expect("one is answered");
    assert_eq!(answer, "HTTP/1.1 503");
    let answer = pds.http.get(format!("{}/livez", pds.url)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn requests_of_eight_addresses_that_wait_leave_room_for_others() {
    let pds =
        TestPds::with(Database::sqlite(), &[("PDS_TRUSTED_PROXIES", "none"), ("PDS_MAX_CONNECTIONS", "256")]).await;
    let more = "Content-Type: application/json\r\nContent-Length: 1000\r\n";
    let head = head(&pds, "POST /xrpc/com.atproto.server.createSession", more);
    let mut open = Vec::new();
    for number in 0..136 {
        let mut stream = connect_from(&pds, 2 + number % 8).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    // All 128 places are taken when the first of the rest is refused.
    let refused = futures::future::select_all(open.iter_mut().map(|stream| {
        Box::pin(async move {
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.map(|_| answer.to_vec())
        })
    }));
    let (answer, ..) = timeout(Duration::from_secs(10), refused).await.expect("one is answered");
    assert_eq!(answer.unwrap(), b"HTTP/1.1 503");
    for _ in 0..5 {
        pds.query("com.atproto.server.describeServer", &[]).await.ok();
    }
}

#[tokio::test]
async fn readers_of_one_address_do_not_take_the_memory_of_all_answers() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_TRUSTED_PROXIES", "none"), ("PDS_ANSWER_MEMORY", "4MB")]).await;
    let alice = pds.person("alice").await;
    alice.create(THING, json!({"text": "x".repeat(900_000)})).await.ok();
    let line = format!("GET /xrpc/com.atproto.repo.listRecords?repo={}&collection={THING}", alice.did);
    let mut greedy = Vec::new();
    for _ in 0..8 {
        let mut stream = connect_from(&pds, 2).await;
        stream.write_all(head(&pds, &line, "").as_bytes()).await.unwrap();
        greedy.push(stream);
    }
    for _ in 0..3 {
        pds.query("com.atproto.repo.listRecords", &[("repo", &alice.did), ("collection", THING)]).await.ok();
        assert!(pds.app.answers.used() <= 4_000_000, "{}", pds.app.answers.used());
    }
}
