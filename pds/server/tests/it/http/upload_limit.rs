//! The limit of uploads of one account.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::rate_limit::{limited, number, wait_for};

#[tokio::test]
async fn uploads_count_by_account_and_not_where_a_record_waits_for_them() {
    // F16
    let pds = limited(&[
        ("PDS_MAX_REPO_IMPORT_SIZE", "16MiB"),
        ("RATE_LIMIT_AUTHENTICATED", "100000"),
        ("RATE_LIMIT_AUTHENTICATED_BURST", "10000"),
    ])
    .await;
    pds.clock.freeze();
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let (budget, gaps) = (1000u32, 300u32);
    let bytes = |n: u32| n.to_be_bytes().to_vec();
    crate::repo::import_repo::with_blobs(&pds, &alice, (0..gaps).map(bytes)).await;

    for n in 0..gaps / 2 {
        alice.upload(bytes(n), "text/plain").await.ok();
    }
    for n in 0..budget {
        alice.upload(bytes(1_000_000 + n), "text/plain").await.ok();
    }
    for _ in 0..2 {
        let refused = alice.upload(b"one more".to_vec(), "text/plain").await;
        assert_eq!(refused.error(), (429, "RateLimitExceeded"));
        assert!(refused.headers.contains_key("retry-after"));
    }
    // Nothing is left of it, those that records wait for come in, and so do others' from the same address.
    let account = pds_store::account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let refused = pds_repo::Cid::raw(b"one more");
    assert_eq!(pds_store::blob::get(&pds.app.db, account.id, &refused).await.unwrap(), None);
    for n in gaps / 2..gaps {
        alice.upload(bytes(n), "text/plain").await.ok();
    }
    assert_eq!(alice.query("com.atproto.repo.listMissingBlobs", &[]).await.ok(), json!({"blobs": []}));
    assert_eq!(alice.upload(b"one more".to_vec(), "text/plain").await.error(), (429, "RateLimitExceeded"));
    bob.upload(b"one more".to_vec(), "text/plain").await.ok();
}

#[tokio::test]
async fn an_upload_that_is_given_up_counts() {
    let pds = limited(&[("RATE_LIMIT_AUTHENTICATED", "100000"), ("RATE_LIMIT_AUTHENTICATED_BURST", "10000")]).await;
    pds.clock.freeze();
    let alice = pds.person("alice").await;
    let address = pds.url.trim_start_matches("http://");
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /xrpc/com.atproto.repo.uploadBlob HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: text/plain\r\n\
         Content-Length: 1000\r\n\r\nsome",
        alice.access
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    drop(connection);
    let uploads = AtomicUsize::new(0);
    wait_for(async || {
        let n = uploads.fetch_add(1, Ordering::Relaxed) + 1;
        let answer = alice.upload(n.to_string().into_bytes(), "text/plain").await;
        number(&answer, "ratelimit-remaining") == 999 - i64::try_from(n).unwrap()
    })
    .await;
}
