//! `com.atproto.repo.*`.

mod apply_writes;
mod chain;
mod clock;
mod create_record;
mod delete_record;
mod describe_repo;
mod get_record;
pub(crate) mod import_repo;
mod lexicon;
mod list_missing_blobs;
mod list_records;
mod put_record;
mod replicas;
mod rules;
mod upload_blob;

use serde_json::json;

use crate::{harness::Person, on_both};

const POST: &str = "app.bsky.feed.post";

async fn get(alice: &Person, collection: &str, rkey: &str) -> crate::harness::Answer {
    alice
        .query("com.atproto.repo.getRecord", &[("repo", &alice.handle), ("collection", collection), ("rkey", rkey)])
        .await
}

on_both!(records_are_written_read_and_deleted, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hello").await;
    let read = get(&alice, POST, &rkey).await.ok();
    assert_eq!(read["value"]["text"], "hello");

    let record = json!({"$type": POST, "text": "changed", "createdAt": "2026-01-01T00:00:00.000Z"});
    let put = |swap: serde_json::Value| {
        let mut input = json!({"repo": alice.did, "collection": POST, "rkey": rkey, "record": record});
        input.as_object_mut().unwrap().extend(swap.as_object().unwrap().clone());
        alice.call("com.atproto.repo.putRecord", input)
    };
    assert_eq!(put(json!({"swapRecord": null})).await.error(), (400, "InvalidSwap"));
    assert_eq!(put(json!({"swapRecord": read["cid"]})).await.ok()["validationStatus"], "valid");
    let same = put(json!({})).await.ok();
    assert!(same["commit"].is_null(), "the same content makes no commit: {same}");

    let wrong = json!({"repo": alice.did, "collection": POST, "rkey": rkey, "swapCommit": read["cid"]});
    assert_eq!(alice.call("com.atproto.repo.deleteRecord", wrong).await.error(), (400, "InvalidSwap"));
    let delete = json!({"repo": alice.handle, "collection": POST, "rkey": rkey});
    assert!(alice.call("com.atproto.repo.deleteRecord", delete.clone()).await.ok()["commit"]["rev"].is_string());
    assert!(alice.call("com.atproto.repo.deleteRecord", delete).await.ok()["commit"].is_null());
    assert_eq!(get(&alice, POST, &rkey).await.error(), (400, "RecordNotFound"));
});

on_both!(bad_records_are_refused_with_the_place_of_the_fault, |pds| async move {
    // AL-REP-3
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    let answer = alice.create(POST, json!({"text": 1, "createdAt": "2026-01-01T00:00:00Z"})).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"));
    assert!(answer.body["message"].as_str().unwrap().contains("text"), "{}", answer.body);
    for record in [json!({"$type": "com.example.other"}), json!([]), json!({"x": 1.5})] {
        assert_eq!(alice.create("com.example.thing", record).await.error(), (400, "InvalidRequest"));
    }
    let unknown = alice.create("com.example.thing", json!({"anything": "goes"})).await.ok();
    assert_eq!(unknown["validationStatus"], "unknown");
    let input = json!({"repo": bob.did, "collection": POST, "record": {}});
    assert_eq!(alice.call("com.atproto.repo.createRecord", input).await.error(), (401, "AuthenticationRequired"));
    let input = json!({"repo": alice.did, "collection": "com.example.thing", "record": {}, "validate": true});
    assert_eq!(alice.call("com.atproto.repo.createRecord", input).await.error(), (400, "InvalidRequest"));
});

on_both!(a_batch_is_one_commit_or_nothing, |pds| async move {
    // AL-REP-2
    let alice = pds.person("alice").await;
    let mut firehose = pds.firehose(None).await;
    let create = |n: usize| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "rkey": format!("k{n}"), "value": {"n": n}});
    let apply = |writes: Vec<serde_json::Value>| {
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes}))
    };
    assert_eq!(apply((0..200).map(create).collect()).await.ok()["results"].as_array().unwrap().len(), 200);
    assert_eq!(firehose.next().await.ops.len(), 200);
    assert_eq!(apply((0..201).map(create).collect()).await.error(), (400, "InvalidRequest"));

    let before = alice.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
    let bad =
        json!({"$type": "com.atproto.repo.applyWrites#delete", "collection": "com.example.thing", "rkey": "missing"});
    assert_eq!(apply(vec![create(500), bad]).await.error(), (400, "InvalidRequest"));
    assert_eq!(alice.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok(), before);
    assert_eq!(get(&alice, "com.example.thing", "k500").await.error(), (400, "RecordNotFound"));
});

on_both!(lists_page_in_both_directions, |pds| async move {
    let alice = pds.person("alice").await;
    let writes: Vec<_> = (0..25)
        .map(|n| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "rkey": format!("k{n:02}"), "value": {"n": n}}))
        .collect();
    alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await.ok();
    for reverse in ["false", "true"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut params = vec![
                ("repo", alice.did.as_str()),
                ("collection", "com.example.thing"),
                ("limit", "10"),
                ("reverse", reverse),
            ];
            if !cursor.is_empty() {
                params.push(("cursor", &cursor));
            }
            let page = alice.query("com.atproto.repo.listRecords", &params).await.ok();
            seen.extend(
                page["records"].as_array().unwrap().iter().map(|record| record["value"]["n"].as_i64().unwrap()),
            );
            match page["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let wanted: Vec<i64> = if reverse == "true" { (0..25).collect() } else { (0..25).rev().collect() };
        assert_eq!(seen, wanted);
    }
    let described = alice.query("com.atproto.repo.describeRepo", &[("repo", &alice.handle)]).await.ok();
    assert_eq!(
        (&described["collections"], &described["handleIsCorrect"]),
        (&json!(["com.example.thing"]), &json!(true))
    );
    assert_eq!(
        alice.query("com.atproto.repo.listRecords", &[("repo", "nobody.pds.test"), ("collection", POST)]).await.error(),
        (400, "InvalidRequest")
    );
    assert_eq!(
        alice.query("com.atproto.repo.describeRepo", &[("repo", "nobody.pds.test")]).await.error(),
        (400, "RepoNotFound")
    );
});

on_both!(a_parameter_without_a_value_is_as_good_as_absent, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hello").await;
    let list = [("repo", &*alice.did), ("collection", POST), ("limit", ""), ("cursor", ""), ("reverse", "")];
    let page = pds.query("com.atproto.repo.listRecords", &list).await.ok();
    assert_eq!(page["records"].as_array().unwrap().len(), 1);
    let one = [("repo", &*alice.did), ("collection", POST), ("rkey", &*rkey), ("cid", "")];
    pds.query("com.atproto.repo.getRecord", &one).await.ok();
    let nobody = pds.query("com.atproto.repo.describeRepo", &[("repo", "")]).await;
    assert_eq!(nobody.body["message"], "Params must have the property \"repo\"");
});

on_both!(a_second_like_of_a_post_replaces_the_first, |pds| async move {
    let alice = pds.person("alice").await;
    let like = json!({"$type": "app.bsky.feed.like", "createdAt": "2026-01-01T00:00:00Z",
        "subject": {"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3k2a", "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}});
    alice.create("app.bsky.feed.like", like.clone()).await.ok();
    let second = alice.create("app.bsky.feed.like", like).await.ok();
    let listed = alice
        .query("com.atproto.repo.listRecords", &[("repo", &alice.did), ("collection", "app.bsky.feed.like")])
        .await
        .ok();
    let uris: Vec<_> = listed["records"].as_array().unwrap().iter().map(|record| record["uri"].clone()).collect();
    assert_eq!(uris, [second["uri"].clone()]);
});

on_both!(a_blob_is_seen_once_a_record_refers_to_it, |pds| async move {
    // AL-BLB-1, AL-BLB-3, AL-BLB-4
    let alice = pds.person("alice").await;
    let png = b"\x89PNG\r\n\x1a\n rest of a picture".to_vec();
    let blob = alice.upload(png.clone(), "text/plain").await.ok()["blob"].clone();
    assert_eq!((&blob["mimeType"], &blob["size"]), (&json!("image/png"), &json!(png.len())));
    let cid = blob["ref"]["$link"].as_str().unwrap().to_owned();
    let params = [("did", alice.did.as_str()), ("cid", cid.as_str())];
    assert_eq!(alice.query("com.atproto.sync.getBlob", &params).await.error(), (400, "BlobNotFound"));

    alice.create("com.example.picture", json!({"picture": blob})).await.ok();
    let get = |range: Option<&'static str>| {
        let mut request = pds.get("com.atproto.sync.getBlob").query(&params);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send()
    };
    let whole = get(None).await.unwrap();
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    let tag = whole.headers()["etag"].clone();
    assert_eq!(whole.bytes().await.unwrap(), png);
    let part = get(Some("bytes=1-3")).await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().to_vec()), (206, b"PNG".to_vec()));
    assert_eq!(get(Some("bytes=1000-")).await.unwrap().status(), 416);
    let known = pds.get("com.atproto.sync.getBlob").query(&params).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(known.status(), 304);
    assert_eq!(alice.query("com.atproto.sync.listBlobs", &[("did", &alice.did)]).await.ok()["cids"], json!([cid]));

    let missing = json!({"$type": "blob", "ref": {"$link": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}, "mimeType": "image/png", "size": 1});
    assert_eq!(alice.create("com.example.picture", json!({"picture": missing})).await.error(), (400, "BlobNotFound"));
});

on_both!(several_writes_to_one_record_are_one_operation, |pds| async move {
    // F14
    let alice = pds.person("alice").await;
    let thing = "com.example.thing";
    let write = |kind: &str, rkey: &str, n: i64| match kind {
        "delete" => json!({"$type": "com.atproto.repo.applyWrites#delete", "collection": thing, "rkey": rkey}),
        _ => {
            json!({"$type": format!("com.atproto.repo.applyWrites#{kind}"), "collection": thing, "rkey": rkey, "value": {"n": n}})
        }
    };
    let apply = async |writes: Vec<serde_json::Value>| {
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await
    };
    let value = async |rkey: &str| get(&alice, thing, rkey).await.body["value"]["n"].clone();
    apply(vec![write("create", "k", 1), write("create", "l", 1)]).await.ok();
    let mut firehose = pds.firehose(None).await;
    let before = get(&alice, thing, "k").await.ok()["cid"].clone();

    let answer = apply(vec![write("delete", "k", 0), write("create", "k", 2)]).await.ok();
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
    let ops = firehose.next().await.ops;
    assert_eq!((ops.len(), ops[0].action), (1, pds_repo::Action::Update));
    assert_eq!(json!(ops[0].prev), before);
    assert_eq!(json!(ops[0].cid), answer["results"][1]["cid"]);
    assert_eq!(value("k").await, 2);

    apply(vec![write("create", "m", 1), write("delete", "m", 0), write("update", "k", 3), write("delete", "k", 0)])
        .await
        .ok();
    let ops = firehose.next().await.ops;
    assert_eq!((ops.len(), ops[0].action), (1, pds_repo::Action::Delete));
    apply(vec![write("delete", "l", 0), write("create", "l", 5), write("update", "l", 6), write("create", "k", 4)])
        .await
        .ok();
    let ops = firehose.next().await.ops;
    assert_eq!(ops.iter().map(|op| op.path.rkey().to_string()).collect::<Vec<_>>(), ["l", "k"]);
    assert_eq!((value("l").await, value("k").await, value("m").await), (json!(6), json!(4), serde_json::Value::Null));

    // What comes to nothing is no commit; what does not fit what is there at its turn is refused as a whole.
    let nothing = apply(vec![write("create", "x", 1), write("delete", "x", 0)]).await.ok();
    assert!(nothing["commit"].is_null() && nothing["results"].as_array().unwrap().len() == 2, "{nothing}");
    assert!(apply(vec![write("delete", "l", 0), write("create", "l", 6)]).await.ok()["commit"].is_null());
    let twice = apply(vec![write("delete", "l", 0), write("delete", "l", 0)]).await;
    assert_eq!(twice.error(), (400, "InvalidRequest"));
    assert_eq!(value("l").await, 6);
    alice.post("next").await;
    assert_eq!(firehose.next().await.ops.len(), 1);
    crate::sync::verify(&alice.car().await, &alice.did);
});

on_both!(as_many_equal_likes_go_as_fit, |pds| async move {
    // F15
    let alice = pds.person("alice").await;
    let kind = "app.bsky.feed.like";
    let like = |post: &str| {
        json!({"$type": kind, "createdAt": "2026-01-01T00:00:00Z",
        "subject": {"uri": format!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/{post}"), "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}})
    };
    let create = |value: serde_json::Value| json!({"$type": "com.atproto.repo.applyWrites#create", "collection": kind, "value": value});
    for count in [200, 60] {
        let writes: Vec<_> = (0..count).map(|_| create(like("3k2a"))).collect();
        alice.call("com.atproto.repo.applyWrites", json!({"repo": alice.did, "writes": writes})).await.ok();
    }
    let likes = async || crate::sync::verify(&alice.car().await, &alice.did);
    let mut firehose = pds.firehose(None).await;
    alice.create(kind, like("3k2a")).await.ok();
    assert_eq!(firehose.next().await.ops.len(), 200);
    assert_eq!(likes().await, 260 + 1 - 199);
    alice.create(kind, like("3k2a")).await.ok();
    assert_eq!(likes().await, 1);
});

/// 64 bits of a hash find the records; the subjects decide.
#[tokio::test]
async fn a_like_of_something_else_stays_although_the_hashes_are_equal() {
    let pds = crate::harness::TestPds::postgres().await;
    let alice = pds.person("alice").await;
    let kind = "app.bsky.feed.like";
    let like = |post: &str| {
        json!({"$type": kind, "createdAt": "2026-01-01T00:00:00Z",
        "subject": {"uri": format!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/{post}"), "cid": "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"}})
    };
    let other = alice.create(kind, like("3k2b")).await.ok()["uri"].clone();
    let same = alice.create(kind, like("3k2a")).await.ok()["uri"].clone();
    let uri = like("3k2a")["subject"]["uri"].as_str().unwrap().to_owned();
    pds.database.psql(&format!("update record set subject_hash = {}", pds_store::record::subject_hash(&uri)));
    alice.create(kind, like("3k2a")).await.ok();
    let rkey = |uri: &serde_json::Value| uri.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    get(&alice, kind, &rkey(&other)).await.ok();
    assert_eq!(get(&alice, kind, &rkey(&same)).await.error(), (400, "RecordNotFound"));
}
