//! Encoding and decoding of typical records and of a commit: the codec of the product, compared with `serde_ipld_dagcbor`.

use anyhow::Result;
use ipld_core::ipld::Ipld;
use pds_repo::{Cid, cbor, record};
use serde::Serialize;
use serde_json::{Value, json};

use crate::case::Case;

/// The names of the tasks, for each record.
struct Tasks {
    encode: &'static str,
    decode: &'static str,
    read: &'static str,
    write: &'static str,
}

macro_rules! tasks {
    ($record:literal) => {
        Tasks {
            encode: concat!("encode ", $record),
            decode: concat!("decode ", $record),
            read: concat!("JSON to block, ", $record),
            write: concat!("block to JSON, ", $record),
        }
    };
}

pub(crate) fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (tasks, json) in [
        (tasks!("post"), post()),
        (tasks!("profile"), profile()),
        (tasks!("like"), like()),
        (tasks!("100 KB article"), article()),
    ] {
        cases.extend(of(tasks, json)?);
    }
    cases.extend(commit()?);
    Ok(cases)
}

fn of(tasks: Tasks, json: Value) -> Result<Vec<Case>> {
    let bytes = record::from_json(&json)?.bytes;
    let value: Ipld = serde_ipld_dagcbor::from_slice(&bytes)?;
    anyhow::ensure!(record::decode(&bytes)? == value, "both decode to the same value");
    anyhow::ensure!(serde_ipld_dagcbor::to_vec(&value)? == record::encode(&value)?, "both encode to the same bytes");
    let again = value.clone();
    let (one, two, three) = (bytes.clone(), bytes.clone(), bytes.clone());
    Ok(vec![
        Case::new(tasks.encode, "own (product)", move || record::encode(&value)),
        Case::new(tasks.encode, "serde_ipld_dagcbor", move || serde_ipld_dagcbor::to_vec(&again)),
        Case::new(tasks.decode, "own, canonical form and data model checked (product)", move || record::decode(&one)),
        Case::new(tasks.decode, "serde_ipld_dagcbor", move || serde_ipld_dagcbor::from_slice::<Ipld>(&two)),
        Case::new(tasks.decode, "serde_ipld_dagcbor, and encoded again to check the canonical form", move || {
            let value = serde_ipld_dagcbor::from_slice::<Ipld>(&three).ok()?;
            Some(serde_ipld_dagcbor::to_vec(&value).ok()? == three)
        }),
        Case::new(tasks.read, "product: value, data model, encode, CID", move || record::from_json(&json)),
        Case::new(tasks.write, "product: one pass", move || {
            let mut json = Vec::new();
            record::write_json(&bytes, &mut json).map(|()| json)
        }),
    ])
}

#[derive(Serialize)]
struct Unsigned {
    did: String,
    rev: String,
    data: cid::Cid,
    prev: Option<cid::Cid>,
    version: i64,
}

fn commit() -> Result<Vec<Case>> {
    let (did, rev, data) = ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", "3jzfcijpj2z2a", Cid::dag_cbor(b"node"));
    let value = Unsigned { did: did.into(), rev: rev.into(), data: data.into(), prev: None, version: 3 };
    let own = move || {
        let mut out = cbor::Writer::with_capacity(256);
        out.map(5).text("did").text(did).text("rev").text(rev).text("data").link(&data);
        out.text("prev").null().text("version").int(3);
        out.into_bytes()
    };
    anyhow::ensure!(serde_ipld_dagcbor::to_vec(&value)? == own(), "both encode to the same bytes");
    Ok(vec![
        Case::new("encode commit", "own, over pds_repo::cbor (product)", own),
        Case::new("encode commit", "serde_ipld_dagcbor", move || serde_ipld_dagcbor::to_vec(&value)),
    ])
}

fn link(of: &str) -> Value {
    json!({"$link": Cid::dag_cbor(of.as_bytes()).to_string()})
}

fn post() -> Value {
    let at = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a";
    let subject = json!({"cid": Cid::dag_cbor(b"parent").to_string(), "uri": at});
    json!({
        "$type": "app.bsky.feed.post", "createdAt": "2026-01-02T03:04:05.678Z", "langs": ["en"],
        "text": "What a morning on the ridge: fog below, larks above. More pictures at hill.example",
        "facets": [{"index": {"byteStart": 67, "byteEnd": 79}, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://hill.example"}]}],
        "reply": {"root": subject, "parent": subject},
        "embed": {"$type": "app.bsky.embed.images", "images": [{"alt": "Fog in the valley", "aspectRatio": {"width": 2000, "height": 1500},
            "image": {"$type": "blob", "ref": {"$link": Cid::raw(b"picture").to_string()}, "mimeType": "image/jpeg", "size": 812_345}}]},
    })
}

fn profile() -> Value {
    let blob = |of: &str| json!({"$type": "blob", "ref": {"$link": Cid::raw(of.as_bytes()).to_string()}, "mimeType": "image/png", "size": 70_123});
    json!({
        "$type": "app.bsky.actor.profile", "displayName": "Alice", "description": "Walks uphill, writes it down.",
        "avatar": blob("avatar"), "banner": blob("banner"), "createdAt": "2026-01-02T03:04:05.678Z",
    })
}

fn like() -> Value {
    let uri = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a";
    json!({
        "$type": "app.bsky.feed.like", "createdAt": "2026-01-02T03:04:05.678Z",
        "subject": {"cid": Cid::dag_cbor(b"post").to_string(), "uri": uri},
    })
}

fn article() -> Value {
    let part = |n: usize| json!({"$type": "com.example.article#part", "order": n, "source": link("source"), "text": "Lorem ipsum dolor sit amet. ".repeat(14)});
    json!({"$type": "com.example.article", "title": "A long one", "parts": (0..200).map(part).collect::<Vec<_>>()})
}
