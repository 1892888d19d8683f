//! A reference that has its blobs in a bucket.

use reqwest::Method;
use serde_json::Value;

use super::{Target, directory, is_as_it_was};
use crate::harness::{Database, Place, Proxy, Resident, Way, reference, send};

/// Issue 14, point 11: blobs in a bucket, wherever the reference puts them there; and what is left behind is said.
async fn blobs_come_from_a_bucket(database: Database) {
    let (reference, place) = (directory(), Place::s3());
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| reference.account(name, 3));
    place.put(&format!("blocks/{}/{}", alice.did, alice.blob), reference::BLOB);
    place.put(&format!("quarantine/{}/{}", bob.did, bob.blob), reference::BLOB);
    reference.actor(&bob.did, "update blob set takedownRef = 'a decision'");
    place.put(&format!("tmp/{}/a-key", carol.did), reference::BLOB);
    reference.actor(&carol.did, "update blob set tempKey = 'a-key'");
    let Place::S3 { endpoint, .. } = &place else { panic!("not S3") };
    let way = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let mut bucket = place.settings();
    bucket[1].1 = format!("http://127.0.0.1:{}", way.port);
    reference.move_blobs(&bucket);
    reference.accounts(
        "create table token (id integer primary key); insert into token values (1), (2), (3);
         create table device (id varchar primary key); insert into device values ('a'), ('b');
         create table email_token (purpose varchar, did varchar); insert into email_token values ('confirm_email', 'd');",
    );

    let target = Target::new(database);
    target.migrate();
    way.set(Way::Refused);
    let (code, said) = target.import(&reference, &[]);
    assert!(code == Some(1) && said.contains("read the bucket") && said.contains("pds.env"), "{said}");
    way.set(Way::Open);
    let (code, said) = target.import(&reference, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 imported") && said.contains("3 blobs (0 MB, 1 lost)"), "{said}");
    let lost = format!("blob {} of {} was not imported: the bucket has no object for it", dave.blob, dave.did);
    assert!(said.contains(&lost), "{said}");
    for left in ["3 sessions of apps that log in with OAuth", "2 browsers that", "1 codes in mails"] {
        assert!(said.contains(&format!("not taken over: {left}")), "{said}");
    }
    assert!(!said.contains(&bucket[3].1), "{said}");

    let pds = target.serve().await;
    let blob = async |resident: &Resident| {
        let path = format!("/xrpc/com.atproto.sync.getBlob?did={}&cid={}", resident.did, resident.blob);
        send(pds.request(Method::GET, &path)).await
    };
    let bytes = Value::String(String::from_utf8(reference::BLOB.to_vec()).unwrap());
    assert_eq!(blob(&alice).await.ok(), bytes);
    assert_eq!(blob(&carol).await.ok(), bytes);
    assert_eq!((blob(&bob).await.status.as_u16(), blob(&dave).await.status.as_u16()), (400, 400));
    for resident in [&alice, &bob, &carol, &dave] {
        is_as_it_was(&pds, resident).await;
    }
    pds.terminate();
    assert!(pds.ended().await.success());
    // Settings that are no settings are refused by name, without the secret.
    reference.set("PDS_BLOBSTORE_S3_ACCESS_KEY_ID=");
    let empty = Target::new(Database::sqlite());
    let (code, said) = empty.import(&reference, &[]);
    assert!(code == Some(78) && said.contains("PDS_BLOBSTORE_S3_ACCESS_KEY_ID and"), "{said}");
}

// The command is waited for by a thread, and the proxy before the bucket goes on beside it.
#[tokio::test(flavor = "multi_thread")]
async fn blobs_come_from_a_bucket_on_sqlite() {
    blobs_come_from_a_bucket(Database::sqlite()).await;
}

// The command is waited for by a thread, and the proxy before the bucket goes on beside it.
#[tokio::test(flavor = "multi_thread")]
async fn blobs_come_from_a_bucket_on_postgres() {
    blobs_come_from_a_bucket(Database::postgres().await).await;
}
