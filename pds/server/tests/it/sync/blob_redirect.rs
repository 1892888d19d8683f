//! `com.atproto.sync.getBlob` that sends clients elsewhere.

use reqwest::{Method, Response, redirect::Policy};
use serde_json::json;

use crate::{
    harness::{ADMIN_PASSWORD, Database, Person, Place, TestPds},
    on_places,
};

const GET_BLOB: &str = "com.atproto.sync.getBlob";
const CDN: [(&str, &str); 2] =
    [("PDS_BLOB_REDIRECT", "cdn"), ("PDS_BLOB_CDN_URL_PATTERN", "https://cdn.example.com/blob/{did}/{cid}?v=1")];

/// A blob that a record of Alice refers to; its CID.
async fn blob_of(alice: &Person) -> String {
    let blob = alice.upload(b"<script>alert(1)</script>".to_vec(), "text/html").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    blob["ref"]["$link"].as_str().unwrap().to_owned()
}

/// An answer as it is, redirects not followed.
async fn ask(pds: &TestPds, method: Method, did: &str, cid: &str, headers: &[(&str, &str)]) -> Response {
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let mut request = http.request(method, format!("{}/xrpc/{GET_BLOB}", pds.url)).query(&[("did", did), ("cid", cid)]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_link_into_the_bucket_keeps_the_headers_that_make_a_blob_safe() {
    let place = Place::s3();
    let mut settings = place.settings();
    settings.push(("PDS_BLOB_REDIRECT", "presigned".into()));
    let pds = TestPds::with(Database::postgres().await, &settings).await;
    let alice = pds.person("alice").await;
    let cid = blob_of(&alice).await;

    let answer = ask(&pds, Method::GET, &alice.did, &cid, &[]).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control").as_str()), (302, "no-store"));
    let link = header(&answer, "location");
    assert!(link.contains("X-Amz-Expires=300"), "{link}");
    let object = reqwest::get(&link).await.unwrap();
    assert_eq!(object.status(), 200);
    assert_eq!(header(&object, "content-type"), "text/html");
    assert_eq!(header(&object, "content-disposition"), format!("attachment; filename=\"{cid}\""));
    assert_eq!(object.text().await.unwrap(), "<script>alert(1)</script>");

    // What needs no bytes is answered here, and so is whoever shows a credential, which must not go elsewhere.
    let tag = format!("\"{cid}\"");
    assert_eq!(ask(&pds, Method::GET, &alice.did, &cid, &[("if-none-match", &tag)]).await.status(), 304);
    let bearer = format!("Bearer {}", alice.access);
    for answer in [
        ask(&pds, Method::HEAD, &alice.did, &cid, &[]).await,
        ask(&pds, Method::GET, &alice.did, &cid, &[("authorization", &bearer)]).await,
    ] {
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "content-security-policy"), "default-src 'none'; sandbox");
    }
}

on_places!(a_cdn_gets_the_bytes_and_everybody_else_its_address, CDN, |pds, _place| async move {
    let alice = pds.person("alice").await;
    let cid = blob_of(&alice).await;
    let answer = ask(&pds, Method::GET, &alice.did, &cid, &[("range", "bytes=0-1")]).await;
    assert_eq!(answer.status(), 302);
    let did = alice.did.replace(':', "%3A");
    assert_eq!(header(&answer, "location"), format!("https://cdn.example.com/blob/{did}/{cid}?v=1"));
    assert_eq!(header(&answer, "cache-control"), "private, max-age=300");

    let answer = ask(&pds, Method::GET, &alice.did, &cid, &[("cdn-loop", "cloudflare"), ("range", "bytes=1-6")]).await;
    assert_eq!(answer.status(), 206);
    assert!(header(&answer, "cache-control").contains("s-maxage=3600"));
    assert_eq!(answer.text().await.unwrap(), "script");
});

on_places!(what_may_not_be_read_leads_nowhere, CDN, |pds, _place| async move {
    let alice = pds.person("alice").await;
    let cid = blob_of(&alice).await;
    let status =
        async |pds: &TestPds, did: &str, cid: &str| ask(pds, Method::GET, did, cid, &[]).await.status().as_u16();
    let temporary =
        alice.upload(b"nobody refers to it".to_vec(), "text/plain").await.ok()["blob"]["ref"]["$link"].clone();
    assert_eq!(status(&pds, &alice.did, temporary.as_str().unwrap()).await, 400);
    assert_eq!(status(&pds, &alice.did, &cid).await, 302);

    let blob = json!({"$type": "com.atproto.admin.defs#repoBlobRef", "did": alice.did, "cid": cid});
    let takedown = |subject: &serde_json::Value, applied: bool| {
        let input = json!({"subject": subject, "takedown": {"applied": applied}});
        pds.admin("com.atproto.admin.updateSubjectStatus", input)
    };
    takedown(&blob, true).await.ok();
    assert_eq!(status(&pds, &alice.did, &cid).await, 400);
    takedown(&blob, false).await.ok();
    assert_eq!(status(&pds, &alice.did, &cid).await, 302);

    takedown(&json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did}), true).await.ok();
    assert_eq!(status(&pds, &alice.did, &cid).await, 400);
    let request = pds.get(GET_BLOB).query(&[("did", &alice.did), ("cid", &cid)]);
    assert_eq!(request.basic_auth("admin", Some(ADMIN_PASSWORD)).send().await.unwrap().status(), 200);
});
