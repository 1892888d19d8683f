//! Inputs that no method may take, and the words in which they are refused.

use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, Answer, Database, TestPds, send},
    on_both,
};

const THING: &str = "com.example.thing";

fn message(answer: &Answer) -> &str {
    answer.body["message"].as_str().unwrap()
}

on_both!(no_text_that_a_database_cannot_hold_reaches_it, |pds| async move {
    // F20
    let alice = pds.person("alice").await;
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let takedown = json!({"subject": subject, "takedown": {"applied": true, "ref": "a\u{0}b"}});
    assert_eq!(pds.admin("com.atproto.admin.updateSubjectStatus", takedown).await.error(), (400, "InvalidRequest"));
    let login = json!({"identifier": "alice\u{0}@example.com", "password": "x"});
    let login = send(pds.post("com.atproto.server.createSession").json(&login)).await;
    assert_eq!(login.error(), (400, "InvalidRequest"));
    let query = pds.query("com.atproto.identity.resolveHandle", &[("handle", "a\u{0}b.pds.test")]).await;
    assert_eq!((query.error(), message(&query)), ((400, "InvalidRequest"), "Params/handle must not contain U+0000"));
    for count in [0, 3_000_000_000_u64] {
        let codes = pds.admin("com.atproto.server.createInviteCode", json!({"useCount": count})).await;
        assert_eq!(codes.error(), (400, "InvalidRequest"), "{count}");
    }
    // A record may hold it.
    alice.create(THING, json!({"text": "a\u{0}b"})).await.ok();
});

/// F22
#[tokio::test]
async fn the_domain_of_a_collection_is_in_lower_case() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let refused = alice.create("Com.Example.thing", json!({})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert!(message(&refused).contains("lower case"), "{}", refused.body);
    let write = json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.EXAMPLE.thing", "value": {}});
    let input = json!({"repo": alice.did, "writes": [write]});
    assert_eq!(alice.call("com.atproto.repo.applyWrites", input).await.status, 400);
    alice.create("com.example.someThing", json!({})).await.ok();
}

/// F25
#[tokio::test]
async fn a_range_of_types_is_no_type_and_the_declared_one_stands() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let svg = r#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>"#;
    let kind = async |bytes: &str, kind: &str| alice.upload(bytes.into(), kind).await.ok()["blob"]["mimeType"].clone();
    assert_eq!(kind(svg, "image/svg+xml").await, "image/svg+xml");
    assert_eq!(kind("no image", "image/*").await, "application/octet-stream");
}

/// F26
#[tokio::test]
async fn ordinary_videos_may_be_uploaded_where_nobody_said_anything() {
    let pds = TestPds::sqlite().await;
    let described = pds.query("com.atproto.server.describeServer", &[]).await.ok();
    assert_eq!(described["blobUploadLimit"], 100_000_000);
    let alice = pds.person("alice").await;
    assert_eq!(alice.upload(vec![7; 6_000_000], "video/mp4").await.ok()["blob"]["size"], 6_000_000);
}

/// F31
#[tokio::test]
async fn null_is_refused_where_the_lexicon_has_none() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let with = |field: &str| {
        let mut input = json!({"repo": alice.did, "collection": THING, "rkey": "k", "record": {"a": null}});
        input[field] = Value::Null;
        input
    };
    for (method, field) in [
        ("createRecord", "swapCommit"),
        ("createRecord", "rkey"),
        ("createRecord", "validate"),
        ("putRecord", "swapCommit"),
        ("putRecord", "validate"),
        ("deleteRecord", "swapCommit"),
        ("deleteRecord", "swapRecord"),
    ] {
        let refused = alice.call(&format!("com.atproto.repo.{method}"), with(field)).await;
        assert_eq!(refused.error(), (400, "InvalidRequest"), "{method} {field}");
        assert!(message(&refused).contains(&format!("Input/{field}")), "{}", refused.body);
    }
    // There it means something, and a record may hold it.
    alice.call("com.atproto.repo.putRecord", with("swapRecord")).await.ok();
    let login = json!({"identifier": alice.handle, "password": "correct horse", "allowTakendown": null});
    assert_eq!(send(pds.post("com.atproto.server.createSession").json(&login)).await.status, 400);
    let codes = json!({"useCount": 1, "forAccount": null});
    assert_eq!(pds.admin("com.atproto.server.createInviteCode", codes).await.status, 400);
}

/// F27, F32
#[tokio::test]
async fn refusals_say_where_what_and_which_rule_in_the_words_of_the_reference() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!({"a": deep});
    }
    let refused = alice.create(THING, json!({"deep": deep, "lat": 35.5})).await;
    assert!(message(&refused).contains("/lat: "), "{}", refused.body);
    // F27: deeper than any JSON reader of this server goes.
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let refused = alice.create(THING, json!({"deep": deep})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));

    let sign_up = async |handle: &str| {
        let code = pds.invite(1).await;
        let input =
            json!({"handle": handle, "email": "b@example.com", "password": "correct horse", "inviteCode": code});
        pds.sign_up(input).await
    };
    let refused = sign_up("b.pds.test").await;
    assert_eq!(refused.error(), (400, "InvalidHandle"));
    assert_eq!(message(&refused), "Handle too short: b has 1, at least 3 characters");
    let refused = sign_up("no handle").await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert_eq!(message(&refused), r#"Input/handle must be a valid handle, found "no handle""#);
    let refused = alice.call("com.atproto.identity.updateHandle", json!({"handle": "no handle"})).await;
    assert_eq!(refused.error(), (400, "InvalidRequest"));
    assert_eq!(message(&refused), r#"Input/handle must be a valid handle, found "no handle""#);

    let pds = TestPds::with(Database::sqlite(), &[("PDS_BLOB_UPLOAD_LIMIT", "10")]).await;
    let alice = pds.person("alice").await;
    assert_eq!(alice.upload(vec![7; 11], "text/plain").await.error(), (413, "PayloadTooLargeError"));
    let long = json!({"identifier": "x".repeat(200_000), "password": ADMIN_PASSWORD});
    let refused = send(pds.post("com.atproto.server.createSession").json(&long)).await;
    assert_eq!(refused.error(), (413, "PayloadTooLargeError"));
}
