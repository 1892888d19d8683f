//! `dev.auroralocus.blob.getMetadata`

use serde_json::{Value, json};

use crate::{
    harness::{Person, TestPds},
    on_both, on_places,
};

const METHOD: &str = "dev.auroralocus.blob.getMetadata";

/// The beginning of a picture of this size, and as many bytes behind it.
fn png(width: u32, height: u32, rest: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png.extend(vec![0; rest]);
    png
}

async fn upload(alice: &Person, bytes: Vec<u8>, kind: &str) -> Value {
    alice.upload(bytes, kind).await.ok()["blob"].clone()
}

/// A post with pictures; its URI.
async fn post(alice: &Person, pictures: &[(&Value, &str)]) -> String {
    let images: Vec<_> = pictures.iter().map(|(image, alt)| json!({"image": image, "alt": alt})).collect();
    let record = json!({
        "$type": "app.bsky.feed.post", "text": "look", "createdAt": "2026-01-01T00:00:00.000Z",
        "embed": {"$type": "app.bsky.embed.images", "images": images},
    });
    alice.create("app.bsky.feed.post", record).await.ok()["uri"].as_str().unwrap().to_owned()
}

async fn metadata(pds: &TestPds, alice: &Person, blob: &Value) -> Value {
    let cid = blob["ref"]["$link"].as_str().unwrap();
    pds.query(METHOD, &[("did", &alice.did), ("cid", cid)]).await.ok()
}

on_places!(an_image_has_a_size_and_the_texts_of_its_records, [], |pds, place| async move {
    // AL-BLB-5
    let alice = pds.person("alice").await;
    let cat = upload(&alice, png(4_000, 3_000, 400_000), "image/png").await;
    let dog = upload(&alice, png(20, 10, 0), "image/png").await;
    let first = post(&alice, &[(&cat, "a cat"), (&dog, "")]).await;
    let second = post(&alice, &[(&cat, "the cat again")]).await;
    let profile = json!({"$type": "app.bsky.actor.profile", "avatar": dog});
    let input = json!({"repo": alice.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile});
    let profile = alice.call("com.atproto.repo.putRecord", input).await.ok()["uri"].clone();

    let of_cat = metadata(&pds, &alice, &cat).await;
    assert_eq!((&of_cat["width"], &of_cat["height"]), (&json!(4_000), &json!(3_000)));
    assert_eq!((&of_cat["mimeType"], &of_cat["size"]), (&json!("image/png"), &cat["size"]));
    assert_eq!((&of_cat["did"], &of_cat["cid"]), (&json!(alice.did), &cat["ref"]["$link"]));
    assert_eq!(of_cat["references"], json!([{"uri": first, "alt": "a cat"}, {"uri": second, "alt": "the cat again"}]));
    let of_dog = metadata(&pds, &alice, &dog).await;
    assert_eq!(of_dog["references"], json!([{"uri": profile}, {"uri": first, "alt": ""}]));

    // What is no image has no size in pixels, whatever its type says.
    for (bytes, kind) in [(b"just text".to_vec(), "text/plain"), (b"not a picture".to_vec(), "image/x-unknown")] {
        let file = upload(&alice, bytes, kind).await;
        alice.create("com.example.file", json!({"file": file})).await.ok();
        let shown = metadata(&pds, &alice, &file).await;
        assert_eq!((shown.get("width"), shown.get("height"), &shown["size"]), (None, None, &file["size"]));
    }
    drop(place);
});

on_both!(metadata_are_for_whoever_may_read_the_blob, |pds| async move {
    let alice = pds.person("alice").await;
    let cat = upload(&alice, png(1, 2, 0), "image/png").await;
    let cid = cat["ref"]["$link"].as_str().unwrap();
    let ask = async || pds.query(METHOD, &[("did", &alice.did), ("cid", cid)]).await;
    assert_eq!(ask().await.error(), (400, "BlobNotFound"), "no record refers to it");
    post(&alice, &[(&cat, "a cat")]).await;
    ask().await.ok();
    let subject = json!({"$type": "com.atproto.admin.defs#repoBlobRef", "did": alice.did, "cid": cid});
    pds.admin("com.atproto.admin.updateSubjectStatus", json!({"subject": subject, "takedown": {"applied": true}}))
        .await
        .ok();
    assert_eq!(ask().await.error(), (400, "BlobNotFound"));
    for params in
        [vec![("did", "x"), ("cid", cid)], vec![("did", &*alice.did), ("cid", "x")], vec![("did", &*alice.did)]]
    {
        assert_eq!(pds.query(METHOD, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
});
