//! `com.atproto.sync.getBlob`.

use pds_store::account;
use serde_json::json;

use crate::{harness::ADMIN_PASSWORD, on_both, on_places};

on_both!(shared_caches_keep_only_what_everybody_may_see, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    let params = [("did", alice.did.as_str()), ("cid", blob["ref"]["$link"].as_str().unwrap())];
    let get = || pds.get("com.atproto.sync.getBlob").query(&params);
    let cache = |answer: reqwest::Response| answer.headers()["cache-control"].to_str().unwrap().to_owned();
    assert!(cache(get().send().await.unwrap()).starts_with("public"));

    let did = alice.did.parse().unwrap();
    let id = account::by_did(&pds.app.db, &did).await.unwrap().unwrap().id;
    let mut tx = pds.app.db.begin().await.unwrap();
    account::set_deactivated(&mut tx, id, Some(1), None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(pds.query("com.atproto.sync.getBlob", &params).await.error(), (400, "RepoDeactivated"));
    for request in [get().bearer_auth(&alice.access), get().basic_auth("admin", Some(ADMIN_PASSWORD))] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(cache(answer).starts_with("private"));
    }
});

on_places!(
    parts_of_a_large_blob_are_read_from_where_it_is,
    [("PDS_BLOB_UPLOAD_LIMIT", "64MiB")],
    |pds, _place| async move {
        // AL-BLB-3, AL-BLB-4
        let alice = pds.person("alice").await;
        let bytes: Vec<u8> = (0..12_000_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let blob = alice.upload(bytes.clone(), "video/x-test").await.ok()["blob"].clone();
        alice.create("com.example.file", json!({"file": blob})).await.ok();
        let cid = blob["ref"]["$link"].as_str().unwrap().to_owned();
        let params = [("did", alice.did.as_str()), ("cid", cid.as_str())];
        let get = |name: &'static str, value: &str| {
            pds.get("com.atproto.sync.getBlob").query(&params).header(name, value).send()
        };
        let all = get("accept", "*/*").await.unwrap();
        assert_eq!(all.status(), 200);
        for (name, value) in [
            ("content-type", "video/x-test"),
            ("content-length", "12000003"),
            ("etag", &format!("\"{cid}\"")),
            ("accept-ranges", "bytes"),
            ("cache-control", "public, max-age=31536000, s-maxage=3600, immutable"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("content-disposition", &format!("attachment; filename=\"{cid}\"")),
        ] {
            assert_eq!(all.headers()[name], value, "{name}");
        }
        assert!(all.bytes().await.unwrap() == bytes);
        for (asked, part, said) in [
            ("bytes=5-9", 5..10, "bytes 5-9/12000003"),
            ("bytes=5242870-5242890", 5_242_870..5_242_891, "bytes 5242870-5242890/12000003"),
            ("bytes=-3", 12_000_000..12_000_003, "bytes 12000000-12000002/12000003"),
            ("bytes=11999999-", 11_999_999..12_000_003, "bytes 11999999-12000002/12000003"),
        ] {
            let answer = get("range", asked).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers()["content-range"].to_str().unwrap()), (206, said));
            assert_eq!(answer.bytes().await.unwrap(), &bytes[part]);
        }
        let outside = get("range", "bytes=12000003-").await.unwrap();
        assert_eq!(
            (outside.status().as_u16(), outside.headers()["content-range"].to_str().unwrap()),
            (416, "bytes */12000003")
        );
        assert_eq!(get("if-none-match", &format!("W/\"other\", \"{cid}\"")).await.unwrap().status(), 304);
    }
);
