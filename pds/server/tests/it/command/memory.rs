//! What large uploads and answers that nobody reads cost, measured from outside.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, Method};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::process::Pds;
use crate::harness::{Answer, Place, send};

const MEGABYTE: usize = 1_000_000;

async fn upload(pds: &Pds, token: &str, megabytes: usize) -> Answer {
    let piece = Bytes::from((0..MEGABYTE).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    // The number in front makes each upload another blob.
    let pieces = std::iter::once(Bytes::from(megabytes.to_string())).chain(std::iter::repeat_n(piece, megabytes));
    let body = Body::wrap_stream(futures::stream::iter(pieces.map(Ok::<_, std::io::Error>)));
    let request = pds.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").bearer_auth(token);
    send(request.header("content-type", "video/mp4").body(body)).await
}

/// What the first upload of a process costs, in bytes.
async fn a_hundred_megabytes(place: Place) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = place.settings();
    settings.push((
        "PDS_DID_PLC_URL",
        std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md"),
    ));
    settings.push(("PDS_INVITE_REQUIRED", "false".into()));
    settings.push(("PDS_BLOB_UPLOAD_LIMIT", "200MB".into()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pds = Pds::start(folder.path(), &settings).await;
    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let session = send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&person)).await.ok();
    let token = session["accessJwt"].as_str().unwrap();
    // What is made once, like connections, is no cost of an upload.
    upload(&pds, token, 0).await.ok();

    let before = pds.memory_bytes();
    let mut most = before;
    let upload = upload(&pds, token, 100);
    tokio::pin!(upload);
    let answer = loop {
        tokio::select! {
            answer = &mut upload => break answer,
            () = tokio::time::sleep(Duration::from_millis(2)) => most = most.max(pds.memory_bytes()),
        }
    };
    assert_eq!(answer.ok()["blob"]["size"], 100 * MEGABYTE + 3);
    most - before
}

/// A connection from 127.0.0.`host` that asks for the largest page of records and reads nothing of it.
async fn unread(pds: &Pds, did: &str, host: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.bind(format!("127.0.0.{host}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(([127, 0, 0, 1], pds.port()).into()).await.unwrap();
    let list = "/xrpc/com.atproto.repo.listRecords?collection=com.example.thing&limit=100&repo=";
    stream.write_all(format!("GET {list}{did} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// A page is in memory twice while it is made: as records, and as the answer.
#[tokio::test]
async fn pages_that_nobody_reads_cost_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (plc, rest) = (std::env::var("AURORA_TEST_PLC_URL").unwrap(), [("PDS_INVITE_REQUIRED", "false")]);
    let bounds = [("PDS_ANSWER_MEMORY", "16MiB"), ("PDS_RATE_LIMITS_ENABLED", "false"), ("PDS_DID_PLC_URL", &*plc)];
    let pds = Pds::start(folder.path(), &[&bounds[..], &rest].concat()).await;
    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let session = send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&person)).await.ok();
    let (did, token) = (session["did"].as_str().unwrap(), session["accessJwt"].as_str().unwrap());
    for _ in 0..8 {
        let record = json!({"$type": "com.example.thing", "text": "x".repeat(300_000)});
        let input = json!({"repo": did, "collection": "com.example.thing", "record": record});
        let request = pds.request(Method::POST, "/xrpc/com.atproto.repo.createRecord").bearer_auth(token);
        send(request.json(&input)).await.ok();
    }

    let before = pds.memory_bytes();
    let mut most = before;
    let asking = (0..160).map(|number| unread(&pds, did, 2 + number % 8));
    let held = futures::future::join_all(asking).await;
    // Others are served meanwhile, and so long that all pages have been asked for.
    for _ in 0..40 {
        let latest = format!("/xrpc/com.atproto.sync.getLatestCommit?did={did}");
        send(pds.request(Method::GET, &latest)).await.ok();
        most = most.max(pds.memory_bytes());
    }
    // Pages were sent, as far as there was room for them, and the rest of the clients were told.
    let begins = held.into_iter().map(async |mut stream| {
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.ok().map(|_| status)
    });
    let begins = futures::future::join_all(begins).await;
    let sent = begins.iter().flatten().filter(|status| *status == b"HTTP/1.1 200").count();
    assert!(sent >= 8, "{sent} pages");
    let cost = most - before;
    assert!(cost <= 96 * MEGABYTE as u64, "{cost} bytes above {before}");
}

/// What the server does besides costs memory too, so that the cheapest of a few first uploads counts.
async fn costs_little(place: impl Fn() -> Place) {
    let mut costs = Vec::new();
    while costs.iter().all(|cost| *cost > 16 * MEGABYTE as u64) {
        assert!(costs.len() < 3, "bytes of memory: {costs:?}");
        costs.push(a_hundred_megabytes(place()).await);
    }
}

#[tokio::test]
async fn a_hundred_megabytes_cost_little_memory_on_disk() {
    // AL-BLB-2
    costs_little(Place::disk).await;
}

#[tokio::test]
async fn a_hundred_megabytes_cost_little_memory_on_s3() {
    // AL-BLB-2
    costs_little(Place::s3).await;
}
