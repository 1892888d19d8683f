//! Clients that say nothing, send slowly or read nothing: they end, and nobody else notices.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    harness::{Database, TestPds, send},
    on_both,
};

const LARGE: &str = "com.example.large";

fn host(pds: &TestPds) -> &str {
    pds.url.trim_start_matches("http://")
}

async fn connect(pds: &TestPds) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(host(pds).parse().unwrap()).await.unwrap()
}

/// What still comes over a connection, once the server has ended it.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await.expect("the server ends it");
    rest
}

on_both!(pages_are_bounded_by_bytes_and_their_cursors_lead_through_all, |pds| async move {
    // F1
    let alice = pds.person("alice").await;
    for n in 0..5 {
        let input = json!({"repo": alice.did, "collection": LARGE, "rkey": format!("k{n}"), "record": {"text": "x".repeat(1_000_000)}});
        alice.call("com.atproto.repo.createRecord", input).await.ok();
    }
    let (mut cursor, mut keys, mut longest) = (String::new(), Vec::new(), 0);
    loop {
        let params = [("repo", alice.did.as_str()), ("collection", LARGE), ("limit", "100"), ("cursor", &cursor)];
        let page = pds.query("com.atproto.repo.listRecords", &params).await.ok();
        longest = longest.max(page.to_string().len());
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = next.to_owned();
        keys.extend(page["records"].as_array().unwrap().iter().map(|record| record["uri"].to_string()));
    }
    keys.dedup();
    assert_eq!(keys.len(), 5);
    assert!(longest < 3_000_000, "{longest}");
});

/// F1
#[tokio::test]
async fn answers_that_nobody_reads_give_way_and_end() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_ANSWER_MEMORY", "8MB")]).await;
    let alice = pds.person("alice").await;
    for _ in 0..2 {
        alice.create(LARGE, json!({"text": "x".repeat(1_000_000)})).await.ok();
    }
    let path = format!("/xrpc/com.atproto.repo.listRecords?repo={}&collection={LARGE}", alice.did);
    let mut silent = Vec::new();
    for _ in 0..12 {
        let mut stream = connect(&pds).await;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", host(&pds)).as_bytes()).await.unwrap();
        silent.push(stream);
        assert!(pds.app.answers.used() <= 8_000_000, "{}", pds.app.answers.used());
    }
    // Those who read are answered: at once, or as soon as the others have shown that they do not.
    let began = Instant::now();
    let params = [("repo", alice.did.as_str()), ("collection", LARGE)];
    loop {
        let answer = pds.query("com.atproto.repo.listRecords", &params).await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.error(), (503, "ServiceUnavailable"));
        assert!(answer.headers.contains_key("retry-after") && began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(200)).await;
    }
    let used = pds.app.answers.used();
    assert!((4_000_000..=8_000_000).contains(&used), "{used} bytes wait for readers");
    // Longer than anybody may take nothing.
    sleep(Duration::from_secs(33)).await;
    for mut stream in silent {
        let rest = rest(&mut stream).await;
        assert!(rest.len() < 1_900_000, "{} bytes came", rest.len());
    }
}

/// F21
#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let pds = TestPds::sqlite().await;
    let (mut silent, began) = (connect(&pds).await, Instant::now());
    assert_eq!(rest(&mut silent).await, b"");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

/// F21
#[tokio::test]
async fn idle_connections_make_room() {
    let pds = TestPds::with(Database::sqlite(), &[("PDS_MAX_CONNECTIONS", "16")]).await;
    let mut idle = Vec::new();
    for _ in 0..15 {
        let mut stream = connect(&pds).await;
        stream.write_all(format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", host(&pds)).as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        idle.push(stream);
    }
    sleep(Duration::from_millis(1_500)).await;
    // Each over a connection of its own, which stays open.
    let clients: Vec<_> = (0..8).map(|_| reqwest::Client::new()).collect();
    for client in &clients {
        assert_eq!(client.get(format!("{}/livez", pds.url)).send().await.unwrap().status(), 200);
    }
    assert!(pds.app.connections.count() <= 16);
    assert!(rest(&mut idle[0]).await.ends_with(b"ok\n"));
    assert_eq!(send(pds.http.get(format!("{}/livez", pds.metrics_url))).await.status, 200);
}

/// Sends a request and the beginning of its body, then a byte every four seconds. Returns when the server has refused it or closed the connection.
async fn drip(pds: &TestPds, method: &str, headers: &str, begun: &[u8], length: usize) {
    let mut stream = TcpStream::connect(host(pds)).await.unwrap();
    let head =
        format!("POST /xrpc/{method} HTTP/1.1\r\nHost: {}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n", host(pds));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(begun).await.unwrap();
    let (mut answer, began) = ([0; 12], Instant::now());
    loop {
        match timeout(Duration::from_secs(4), stream.read_exact(&mut answer)).await {
            Ok(read) => break assert!(read.is_err() || &answer == b"HTTP/1.1 400" || &answer == b"HTTP/1.1 408"),
            Err(_) => drop(stream.write_all(b"x").await),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{method}: it is still waited for");
    }
}

/// F17
#[tokio::test]
async fn what_drips_ends() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let headers = format!("Authorization: Bearer {}\r\nContent-Type: image/png", alice.access);
    let body = vec![7; 1_000_000];
    let upload = drip(&pds, "com.atproto.repo.uploadBlob", &headers, &body, 1_000_100);
    let body = br#"{"password": ""#;
    let login = drip(&pds, "com.atproto.server.createSession", "Content-Type: application/json", body, 1_000);
    tokio::join!(upload, login);
}

/// F17
#[tokio::test]
async fn one_account_does_not_take_all_uploads() {
    let pds = TestPds::sqlite().await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let mut open = Vec::new();
    // Two more than it may have: one of its small uploads below may come between.
    for _ in 0..12 {
        let mut stream = TcpStream::connect(host(&pds)).await.unwrap();
        let head = format!(
            "POST /xrpc/com.atproto.repo.uploadBlob HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: image/png\r\nContent-Length: 1000\r\n\r\nx",
            host(&pds),
            alice.access
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        open.push(stream);
    }
    let full = async {
        while alice.upload(b"small".to_vec(), "text/plain").await.status == 200 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), full).await.expect("the eleventh is refused");
    let refused = alice.upload(b"small".to_vec(), "text/plain").await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"));
    assert!(refused.headers.contains_key("retry-after"));
    bob.upload(b"small".to_vec(), "text/plain").await.ok();
}
