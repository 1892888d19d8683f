//! A blob store that is away from the start of the server on, and comes back.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::process::Pds;
use crate::harness::{Answer, Place, Proxy, Way, send};

/// More than the pause between two looks at the blob store, and a look.
const PATIENCE: Duration = Duration::from_secs(40);

async fn call(pds: &Pds, token: &str, method: &str, input: &Value) -> Answer {
    let request = pds.request(Method::POST, &format!("/xrpc/{method}")).json(input);
    send(if token.is_empty() { request } else { request.bearer_auth(token) }).await
}

async fn upload(pds: &Pds, token: &str) -> Answer {
    let request = pds.request(Method::POST, "/xrpc/com.atproto.repo.uploadBlob").bearer_auth(token);
    send(request.header("content-type", "text/plain").body("a blob")).await
}

async fn wait_for(pds: &Pds, line: &str) {
    let began = Instant::now();
    while !pds.metrics().await.lines().any(|found| found == line) {
        assert!(began.elapsed() < PATIENCE, "no {line} in {}", pds.metrics().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// F50
async fn records_are_written_without_blobs(away: Way) {
    let place = Place::s3();
    let Place::S3 { endpoint, .. } = &place else { panic!("not S3") };
    let way = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    way.set(away);
    let mut settings = place.settings();
    settings.push(("PDS_BLOBSTORE_S3_ENDPOINT", format!("http://127.0.0.1:{}", way.port)));
    settings.push(("PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS", "1000".into()));
    settings.push(("PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS", "1000".into()));
    let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
    settings.push(("PDS_DID_PLC_URL", plc));
    settings.push(("PDS_INVITE_REQUIRED", "false".into()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let folder = tempfile::tempdir().unwrap();
    // Ready, although the blob store never answered.
    let pds = Pds::start(folder.path(), &settings).await;

    let person = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let session = call(&pds, "", "com.atproto.server.createAccount", &person).await.ok();
    let (did, token) = (session["did"].as_str().unwrap(), session["accessJwt"].as_str().unwrap());
    let create = async |record: Value| {
        let input = json!({"repo": did, "collection": "com.example.file", "record": record});
        call(&pds, token, "com.atproto.repo.createRecord", &input).await.ok()
    };
    create(json!({"text": "no blob"})).await;
    let login = json!({"identifier": "alice.test", "password": "correct horse"});
    call(&pds, "", "com.atproto.server.createSession", &login).await.ok();
    wait_for(&pds, "aurora_blob_store_up 0").await;
    assert!([503, 504].contains(&upload(&pds, token).await.status.as_u16()));
    assert!(pds.log().contains("the blob store does not answer"), "{}", pds.log());

    way.set(Way::Open);
    wait_for(&pds, "aurora_blob_store_up 1").await;
    let blob = upload(&pds, token).await.ok()["blob"].clone();
    create(json!({"file": blob})).await;
    let path = format!("/xrpc/com.atproto.sync.getBlob?did={did}&cid={}", blob["ref"]["$link"].as_str().unwrap());
    assert_eq!(send(pds.request(Method::GET, &path)).await.ok(), "a blob");

    way.set(away);
    assert!([503, 504].contains(&send(pds.request(Method::GET, &path)).await.status.as_u16()));
    create(json!({"text": "still none"})).await;
    assert_eq!(pds.readiness().await.0, 200);
}

#[tokio::test]
async fn records_are_written_while_the_blob_store_refuses() {
    records_are_written_without_blobs(Way::Refused).await;
}

#[tokio::test]
async fn records_are_written_while_the_blob_store_is_silent() {
    records_are_written_without_blobs(Way::Silent).await;
}
