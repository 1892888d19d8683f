//! What people bring is seldom without fault: it moves all the same, and nothing is lost in silence.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use pds_repo::{
    Cid,
    cbor::Writer,
    mst::{Item, Tree},
    record,
};
use serde_json::json;

use super::{THING, elsewhere, import, missing, records_of, signed};
use crate::{harness::send, on_both, sync::verify};

/// A repository of these blocks, under whatever keys.
fn of_blocks(did: &str, records: &BTreeMap<String, (Cid, Option<Bytes>)>) -> Vec<u8> {
    let tree = Tree::from_sorted(records.iter().map(|(key, (cid, _))| (Arc::from(key.as_str()), *cid)));
    let nodes = tree.preorder().filter_map(|item| match item {
        Item::Node(cid, block) => Some((cid, block)),
        Item::Record(..) => None,
    });
    let blocks = records.values().filter_map(|(cid, block)| Some((*cid, block.clone()?)));
    signed(did, &tree.root(), nodes.chain(blocks).collect())
}

on_both!(one_bad_record_does_not_keep_a_repository_from_moving, |pds| async move {
    // F8
    let alice = pds.person("alice").await;
    let good = |n: i64| record::from_json(&json!({"$type": THING, "n": n})).unwrap();
    let block = |bytes: &[u8]| (Cid::dag_cbor(bytes), Some(Bytes::copy_from_slice(bytes)));
    // {"$type": "com.example.thing", "lat": 35.5}
    let mut float = Writer::default();
    float.map(2).text("lat").int(0).text("$type").text(THING);
    let float = float.into_bytes();
    let float = [&float[..5], &[0xfb], &35.5f64.to_be_bytes(), &float[6..]].concat();
    let nan = [&float[..6], &f64::NAN.to_be_bytes(), &float[14..]].concat();
    let raw = good(70).bytes;
    // More blobs than a commit may refer to. Each costs two statements.
    let blob = |n: i32| {
        let cid = Cid::raw(&n.to_be_bytes());
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "text/plain", "size": 4})
    };
    let blobs = json!({"$type": THING, "blobs": (0..1001).map(blob).collect::<Vec<_>>()});
    let blobs = record::from_json(&blobs).unwrap();
    // 330,000 objects, which would take half a gigabyte.
    let heavy = [&b"\xa1\x61n\x9a\x00\x05\x09\x10"[..], &b"\xa1\x60\x00".repeat(330_000)].concat();
    let mut records: BTreeMap<String, (Cid, Option<Bytes>)> =
        (0..60).map(|n| (format!("{THING}/good{n:02}"), (good(n).cid, Some(good(n).bytes)))).collect();
    records.extend([
        (format!("{THING}/blobs"), (blobs.cid, Some(blobs.bytes))),
        (format!("{THING}/float"), block(&float)),
        (format!("{THING}/gone"), (good(80).cid, None)),
        (format!("{THING}/heavy"), block(&heavy)),
        (format!("{THING}/list"), block(b"\x80")),
        (format!("{THING}/nan"), block(&nan)),
        (format!("{THING}/nothing"), block(b"")),
        (format!("{THING}/raw"), (Cid::raw(&raw), Some(raw))),
        (format!("{THING}/noncanonical"), block(b"\xbf\xff")),
        // F22
        ("Com.Example.thing/upper".to_owned(), (good(85).cid, Some(good(85).bytes))),
        ("no path".to_owned(), (good(90).cid, Some(good(90).bytes))),
    ]);

    let told = import(&pds, &alice, of_blocks(&alice.did, &records)).await.ok();

    assert_eq!(told["records"], 61, "{told}");
    assert_eq!((&told["kept"]["count"], &told["leftOut"]["count"]), (&json!(1), &json!(10)), "{told}");
    let kept = &told["kept"]["records"][0];
    assert_eq!(kept["uri"], format!("at://{}/{THING}/float", alice.did));
    assert!(kept["reason"].as_str().unwrap().starts_with("/lat: "), "{kept}");
    let left: Vec<&str> =
        told["leftOut"]["records"].as_array().unwrap().iter().map(|one| one["uri"].as_str().unwrap()).collect();
    for key in ["blobs", "gone", "heavy", "list", "nan", "nothing", "raw", "noncanonical", "upper", "no path"] {
        assert!(left.iter().any(|uri| uri.ends_with(key)), "{key} in {left:?}");
    }
    // Everything that reads records goes on, the one that was kept among them.
    let listed = records_of(&alice).await;
    assert_eq!(listed.len(), 61);
    assert_eq!(listed.iter().find(|(key, _)| key == "float").unwrap().1["lat"], 35.5);
    let one = [("repo", &*alice.did), ("collection", THING), ("rkey", "float")];
    let read = alice.query("com.atproto.repo.getRecord", &one).await.ok();
    assert_eq!((&read["value"]["lat"], &read["cid"]), (&json!(35.5), &json!(Cid::dag_cbor(&float))));
    assert_eq!(verify(&alice.car().await, &alice.did), 61);
    alice.post("and on").await;
    // What was exported here comes back in.
    let theirs = alice.car().await;
    let again = import(&pds, &alice, theirs).await.ok();
    assert_eq!((&again["records"], &again["leftOut"]["count"]), (&json!(62), &json!(0)));
    assert_eq!(verify(&alice.car().await, &alice.did), 62);
});

on_both!(blobs_of_the_old_form_are_blobs, |pds| async move {
    // F7
    let alice = pds.person("alice").await;
    let picture = b"\x89PNG\r\n\x1a\n a picture of 2022".to_vec();
    let banner = b"\x89PNG\r\n\x1a\n a banner".to_vec();
    let (cid, other) = (Cid::raw(&picture), Cid::raw(&banner));
    let profile = json!({"$type": "app.bsky.actor.profile", "avatar": {"cid": cid, "mimeType": "image/png"},
        "banner": {"$type": "blob", "ref": {"$link": other}, "mimeType": "image/png", "size": -1}});
    let file = elsewhere(&alice.did, &BTreeMap::from([("app.bsky.actor.profile/self".to_owned(), profile.clone())]));
    assert_eq!(import(&pds, &alice, file).await.ok(), "");
    let wanted = missing(&alice, &[]).await;
    let cids: Vec<_> = wanted["blobs"].as_array().unwrap().iter().map(|blob| blob["cid"].clone()).collect();
    assert_eq!(cids.len(), 2, "{wanted}");
    for bytes in [picture.clone(), banner] {
        alice.upload(bytes, "image/png").await.ok();
    }
    assert_eq!(missing(&alice, &[]).await, json!({"blobs": []}));
    pds.clock.forward(std::time::Duration::from_secs(3 * 24 * 3600));
    pds.app.blobs.sweep().await.unwrap();
    let session = json!({"identifier": alice.did, "password": "correct horse"});
    let alice = pds.person_of(send(pds.post("com.atproto.server.createSession").json(&session)).await.ok());
    let blob = [("did", alice.did.as_str()), ("cid", &*cid.to_string())];
    assert_eq!(pds.get("com.atproto.sync.getBlob").query(&blob).send().await.unwrap().bytes().await.unwrap(), picture);
    let listed = pds.query("com.atproto.sync.listBlobs", &[("did", &alice.did)]).await.ok();
    assert_eq!(listed["cids"].as_array().unwrap().len(), 2);
    // As clients write the record again, in today's form with a size that they do not know.
    let mut profile = profile;
    profile["displayName"] = json!("Alice");
    profile["avatar"] = json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/png", "size": -1});
    let put = json!({"repo": alice.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile});
    alice.call("com.atproto.repo.putRecord", put).await.ok();
    assert_eq!(pds.query("com.atproto.sync.listBlobs", &[("did", &alice.did)]).await.ok(), listed);
});
