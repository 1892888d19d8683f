//! What large uploads cost, measured from outside.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, Method};
use serde_json::json;

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

/// AL-BLB-2. What the server does besides costs memory too, so that the cheapest of a few first uploads counts.
async fn costs_little(place: impl Fn() -> Place) {
    let mut costs = Vec::new();
    while costs.iter().all(|cost| *cost > 16 * MEGABYTE as u64) {
        assert!(costs.len() < 3, "bytes of memory: {costs:?}");
        costs.push(a_hundred_megabytes(place()).await);
    }
}

#[tokio::test]
async fn a_hundred_megabytes_cost_little_memory_on_disk() {
    costs_little(Place::disk).await;
}

#[tokio::test]
async fn a_hundred_megabytes_cost_little_memory_on_s3() {
    costs_little(Place::s3).await;
}
