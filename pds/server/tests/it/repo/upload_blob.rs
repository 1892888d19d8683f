//! `com.atproto.repo.uploadBlob`, and what a record may say about a blob.

use std::{sync::atomic::Ordering, time::Duration};

use pds_store::{account, blob as blobs};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    harness::{Database, Person, Place, Proxy, TestPds, Way, send},
    on_both, on_places,
};

const UPLOAD: &str = "com.atproto.repo.uploadBlob";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Uploads and refers; the CID.
async fn file(alice: &Person, bytes: Vec<u8>) -> String {
    let blob = alice.upload(bytes, "application/octet-stream").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    blob["ref"]["$link"].as_str().unwrap().to_owned()
}

async fn used(pds: &TestPds, alice: &Person) -> u64 {
    let account = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    blobs::used_bytes(&pds.app.db, account.id).await.unwrap()
}

on_both!(a_record_must_say_of_a_blob_what_is_true, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"\x89PNG\r\n\x1a\n rest of a picture".to_vec(), "image/png").await.ok()["blob"].clone();
    let with = |field: &str, value: serde_json::Value| {
        let mut changed = blob.clone();
        changed[field] = value;
        alice.create("com.example.picture", json!({"picture": changed}))
    };
    assert_eq!(with("mimeType", json!("image/jpeg")).await.error(), (400, "InvalidMimeType"));
    assert_eq!(with("size", json!(1)).await.error(), (400, "InvalidSize"));
    alice.create("com.example.picture", json!({"picture": blob})).await.ok();
});

on_both!(a_deactivated_account_uploads_but_does_not_write, |pds| async move {
    // Moving to this host is: account, repository, blobs, and only then activation.
    let alice = pds.person("alice").await;
    let did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, id, Some(1), None).await.unwrap();
    tx.commit().await.unwrap();

    alice.upload(b"bytes".to_vec(), "text/plain").await.ok();
    assert_eq!(alice.create("com.example.thing", json!({})).await.error(), (401, "AccountDeactivated"));

    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_takedown(&mut tx, id, Some("case 1")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(alice.upload(b"bytes".to_vec(), "text/plain").await.error(), (401, "AccountTakedown"));
});

on_places!(
    an_upload_cut_at_nine_tenths_leaves_nothing,
    [("PDS_BLOB_UPLOAD_LIMIT", "64MiB")],
    |pds, place| async move {
        // AL-BLB-2
        let alice = pds.person("alice").await;
        let length = 40 << 20;
        let mut client = TcpStream::connect(pds.url.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /xrpc/{UPLOAD} HTTP/1.1\r\nhost: pds.test\r\nauthorization: Bearer {}\r\ncontent-type: video/mp4\r\ncontent-length: {length}\r\n\r\n",
            alice.access
        );
        client.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..36 {
            client.write_all(&vec![7; 1 << 20]).await.unwrap();
        }
        // By now something is in the store, under way.
        place.until(1).await;
        drop(client);
        place.until(0).await;
        assert_eq!(used(&pds, &alice).await, 0);
    }
);

on_places!(an_upload_without_bytes_is_a_blob, [], |pds, _place| async move {
    let alice = pds.person("alice").await;
    let upload = || pds.post(UPLOAD).bearer_auth(&alice.access).header("content-type", "text/plain");
    let blob = send(upload().header("content-length", "0").body("")).await.ok()["blob"].clone();
    assert_eq!((&blob["size"], &blob["mimeType"]), (&json!(0), &json!("text/plain")));
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::new())]);
    let again = send(upload().body(reqwest::Body::wrap_stream(chunks))).await.ok()["blob"].clone();
    assert_eq!(again, blob);

    alice.create("com.example.file", json!({"file": blob})).await.ok();
    let params = [("did", alice.did.as_str()), ("cid", blob["ref"]["$link"].as_str().unwrap())];
    let answer = pds.get("com.atproto.sync.getBlob").query(&params).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-length"].to_str().unwrap()), (200, "0"));

    // No body at all is a mistake.
    let mut client = TcpStream::connect(pds.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /xrpc/{UPLOAD} HTTP/1.1\r\nhost: pds.test\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: text/plain\r\n\r\n",
        alice.access
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut client, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("A request body is expected"), "{answer}");
});

on_places!(an_account_keeps_within_its_quota, [("PDS_ACCOUNT_QUOTA_BYTES", "2000")], |pds, place| async move {
    // AL-REP-5
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let cid = file(&alice, vec![1; 600]).await;
    let shown = pds.admin_query("dev.auroralocus.admin.getAccount", &[("did", &alice.did)]).await.ok();
    // The record that refers to it counts too.
    let have = 600 + usize::try_from(shown["recordBytes"].as_u64().unwrap()).unwrap();
    let over = alice.upload(vec![2; 2_001 - have], "text/plain").await;
    assert_eq!(over.error(), (400, "AccountQuotaExceeded"));
    let said = over.body["message"].as_str().unwrap();
    assert!(said.contains(&format!("2000 bytes together; they have {have}")), "{said}");
    // Also when the client does not say how much comes.
    let upload = pds.post(UPLOAD).bearer_auth(&alice.access).header("content-type", "text/plain");
    let chunks = futures::stream::iter((0..5).map(|n| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![n; 400]))));
    assert_eq!(send(upload.body(reqwest::Body::wrap_stream(chunks))).await.error(), (400, "AccountQuotaExceeded"));
    place.until(1).await;
    alice.upload(vec![3; 2_000 - have], "text/plain").await.ok();
    bob.upload(vec![2; 401], "text/plain").await.ok();

    // Uploads at once do not get past it together.
    let uploads = (0..8).map(|n| bob.upload(vec![10 + n; 500], "text/plain"));
    let stored = futures::future::join_all(uploads).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((stored, used(&pds, &bob).await), (3, 1_901));

    // Records are deleted as ever, and what a deleted one referred to makes room when it is swept.
    let full = alice.create("com.example.thing", json!({})).await;
    assert_eq!(full.error(), (400, "AccountQuotaExceeded"));
    let rkey = |uri: &str| uri.rsplit('/').next().unwrap().to_owned();
    let page = [("repo", alice.did.as_str()), ("collection", "com.example.file")];
    let listed = pds.query("com.atproto.repo.listRecords", &page).await.ok();
    let record =
        listed["records"].as_array().unwrap().iter().find(|r| r["value"]["file"]["ref"]["$link"] == *cid).unwrap();
    let delete =
        json!({"repo": alice.did, "collection": "com.example.file", "rkey": rkey(record["uri"].as_str().unwrap())});
    alice.call("com.atproto.repo.deleteRecord", delete).await.ok();
    pds.clock.forward(DAY + DAY);
    pds.app.blobs.sweep().await.unwrap();
    assert_eq!(used(&pds, &alice).await, 0);
});

on_both!(what_the_sweeper_cannot_delete_now_it_deletes_later, |pds| async move {
    // AL-JOB-5, AL-BLB-1
    let alice = pds.person("alice").await;
    alice.upload(b"orphan".to_vec(), "text/plain").await.ok();
    let account = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let orphan = blobs::get(&pds.app.db, account.id, &pds_repo::Cid::raw(b"orphan")).await.unwrap().unwrap();
    let key = orphan.storage_key.parse().unwrap();
    let store = pds.app.blobs.store();
    assert_eq!(pds.app.blobs.sweep().await.unwrap(), 0);
    assert!(store.exists(&key).await.unwrap());

    pds.clock.forward(DAY + DAY);
    pds.blobs.away.store(true, Ordering::Relaxed);
    assert!(pds.app.blobs.sweep().await.is_err());
    assert_eq!(used(&pds, &alice).await, 0);
    pds.blobs.away.store(false, Ordering::Relaxed);
    assert!(store.exists(&key).await.unwrap());
    pds.app.blobs.sweep().await.unwrap();
    assert!(!store.exists(&key).await.unwrap());
});

/// AL-JOB-5
#[tokio::test]
async fn an_upload_that_cannot_be_recorded_leaves_no_object() {
    for place in [Place::disk(), Place::s3()] {
        let pds = TestPds::with(Database::postgres().await, &place.settings()).await;
        let alice = pds.person("alice").await;
        pds.database.psql("alter table blob rename to blob_away");
        for bytes in [vec![1; 100], vec![1; 2 << 20]] {
            assert_eq!(alice.upload(bytes, "text/plain").await.error(), (500, "InternalServerError"));
            place.until(0).await;
        }
        pds.database.psql("alter table blob_away rename to blob");
        let kept = file(&alice, vec![2; 2 << 20]).await;
        pds.app.blobs.sweep().await.unwrap();
        assert_eq!(place.count(), 1);
        let params = [("did", alice.did.as_str()), ("cid", &*kept)];
        assert_eq!(pds.get("com.atproto.sync.getBlob").query(&params).send().await.unwrap().status(), 200);
    }
}

on_both!(a_sweep_goes_past_what_it_cannot_delete, |pds| async move {
    let alice = pds.person("alice").await;
    let account = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let mut keys = Vec::new();
    for n in 0..6u8 {
        alice.upload(vec![n; 10], "text/plain").await.ok();
        let blob = blobs::get(&pds.app.db, account.id, &pds_repo::Cid::raw(&[n; 10])).await.unwrap().unwrap();
        keys.push(blob.storage_key);
    }
    // One object of the store cannot be deleted, and one row names none that a store could have.
    keys.sort();
    pds.blobs.stuck.lock().unwrap().insert(keys[0].clone());
    let mut tx = pds.app.db.begin().await.unwrap();
    blobs::discard(&mut tx, "!not a key", 0).await.unwrap();
    tx.commit().await.unwrap();
    pds.clock.forward(DAY + DAY);

    let error = pds.app.blobs.sweep().await.unwrap_err().to_string();

    assert!(error.starts_with("2 blobs or objects could not be deleted, the first is object !not a key"), "{error}");
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(pds.app.blobs.store().exists(&key.parse().unwrap()).await.unwrap(), at == 0, "{key}");
    }
    let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.ok();
    assert!(metrics.as_str().unwrap().contains("aurora_blob_sweep_failures_total 2"), "{metrics}");
    pds.blobs.stuck.lock().unwrap().clear();
    pds.app.blobs.sweep().await.unwrap_err();
    assert!(!pds.app.blobs.store().exists(&keys[0].parse().unwrap()).await.unwrap());
});

on_places!(a_lost_object_is_missing_until_it_is_uploaded_again, [], |pds, place| async move {
    // F6
    let alice = pds.person("alice").await;
    let lost = file(&alice, b"lost".to_vec()).await;
    let kept = file(&alice, b"kept".to_vec()).await;
    let account = account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    let lose = async || {
        let blob = blobs::get(&pds.app.db, account.id, &pds_repo::Cid::raw(b"lost")).await.unwrap().unwrap();
        pds.app.blobs.store().delete(&blob.storage_key.parse().unwrap()).await.unwrap();
    };
    let read = async |cid: &str| pds.query("com.atproto.sync.getBlob", &[("did", &alice.did), ("cid", cid)]).await;
    let missing = async || {
        let told = alice.query("com.atproto.repo.listMissingBlobs", &[]).await.ok();
        told["blobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|blob| blob["cid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let lost_now = async || {
        let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.ok();
        let line =
            metrics.as_str().unwrap().lines().find(|line| line.starts_with("aurora_blobs_lost ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    lose().await;
    // Before anybody has read it.
    assert_eq!(missing().await, std::slice::from_ref(&lost));
    assert_eq!(lost_now().await, 1);
    for _ in 0..2 {
        assert_eq!(read(&lost).await.error(), (400, "BlobNotFound"));
    }
    assert_eq!(read(&kept).await.ok(), "kept");

    alice.upload(b"lost".to_vec(), "application/octet-stream").await.ok();
    assert_eq!(read(&lost).await.ok(), "lost");
    assert_eq!((missing().await.len(), lost_now().await, place.count()), (0, 0, 2));
    // Nobody has noticed yet: the upload does.
    lose().await;
    alice.upload(b"lost".to_vec(), "application/octet-stream").await.ok();
    assert_eq!(read(&lost).await.ok(), "lost");
    // By reading, too.
    lose().await;
    assert_eq!(read(&lost).await.error(), (400, "BlobNotFound"));
    assert_eq!((missing().await, lost_now().await), (vec![lost.clone()], 1));
    alice.upload(b"lost".to_vec(), "application/octet-stream").await.ok();
    pds.app.blobs.sweep().await.unwrap();
    assert_eq!((read(&lost).await.ok(), missing().await.len()), (json!("lost"), 0));
});

/// AL-STO-7
#[tokio::test]
async fn a_store_that_goes_away_is_said_to_be_away_and_found_again() {
    let place = Place::s3();
    let Place::S3 { endpoint, .. } = &place else { panic!("not S3") };
    let way = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let mut settings = place.settings();
    settings.push(("PDS_BLOBSTORE_S3_ENDPOINT", format!("http://127.0.0.1:{}", way.port)));
    settings.push(("PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS", "3000".into()));
    settings.push(("PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS", "2000".into()));
    settings.push(("PDS_BLOB_UPLOAD_LIMIT", "64MiB".into()));
    let pds = TestPds::with(Database::postgres().await, &settings).await;
    let alice = pds.person("alice").await;
    let cid = file(&alice, b"picture".to_vec()).await;
    let params = [("did", alice.did.as_str()), ("cid", cid.as_str())];
    let ready = || async { pds.http.get(format!("{}/readyz", pds.metrics_url)).send().await.unwrap().status() };
    assert_eq!(ready().await, 200);

    way.set(Way::Refused);
    let refused = |answer: crate::harness::Answer| {
        let named = [(503, "ServiceUnavailable"), (504, "UpstreamTimeout")].contains(&answer.error());
        assert!(named, "{} {}", answer.status, answer.body);
    };
    refused(pds.query("com.atproto.sync.getBlob", &params).await);
    for length in [10, 20 << 20] {
        refused(alice.upload(vec![9; length], "text/plain").await);
    }
    // F50
    assert_eq!(ready().await, 200);
    assert!(pds.ask_blob_store().await.is_err());
    assert_eq!(used(&pds, &alice).await, 7);
    // What needs no bytes goes on.
    alice.post("no picture").await;

    way.set(Way::Open);
    assert_eq!(pds.query("com.atproto.sync.getBlob", &params).await.ok(), "picture");
    file(&alice, vec![9; 20 << 20]).await;
    assert_eq!(pds.ask_blob_store().await, Ok(()));

    // Cut in the middle of an upload.
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let first = vec![bytes::Bytes::from(vec![5; 1 << 20]); 18];
    let body =
        futures::stream::unfold((first.into_iter(), Some((tell, gone)), 0), |(mut first, mut then, sent)| async move {
            if let Some(piece) = first.next() {
                return Some((Ok::<_, std::io::Error>(piece), (first, then, sent)));
            }
            if let Some((tell, gone)) = then.take() {
                tell.send(()).await.unwrap();
                gone.await.unwrap();
            }
            (sent < 12).then(|| (Ok(bytes::Bytes::from(vec![6; 1 << 20])), (first, then, sent + 1)))
        });
    let upload = pds.post(UPLOAD).bearer_auth(&alice.access).header("content-type", "text/plain");
    let upload = tokio::spawn(send(upload.body(reqwest::Body::wrap_stream(body))));
    told.recv().await.unwrap();
    place.until(3).await;
    way.set(Way::Refused);
    go.send(()).unwrap();
    refused(upload.await.unwrap());
    way.set(Way::Open);
    file(&alice, vec![5; 30]).await;
    assert_eq!(used(&pds, &alice).await, 7 + (20 << 20) + 30);
    // The parts that could not be taken back while the store was away are the sweeper's.
    pds.app.blobs.store().sweep(std::time::SystemTime::now() + DAY).await.unwrap();
    assert_eq!(place.count(), 3);
}
