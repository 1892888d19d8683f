use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use pds_crypto::SigningKey;

use super::*;
use crate::{Repo, Write};

const TIME: &str = "2026-01-01T00:00:00.000Z";

fn did() -> Did {
    "did:plc:abc".parse().unwrap()
}

/// Kind and body of a message. Header and body must be canonical, and the header must be `{t, op}`.
fn read(frame: &Frame, kind: &str, seq: i64) -> BTreeMap<String, Ipld> {
    let bytes = frame.numbered(seq);
    assert_eq!(bytes.len(), frame.len(seq));
    let head = header(kind).into_bytes();
    assert_eq!(bytes[..head.len()], head);
    let Ipld::Map(map) = crate::record::decode(&bytes[head.len()..]).expect("canonical") else { unreachable!("a map") };
    assert_eq!(map["seq"], Ipld::Integer(seq.into()));
    assert_eq!(map["time"], Ipld::String(TIME.into()));
    map
}

fn names(map: &BTreeMap<String, Ipld>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[test]
fn numbers_of_every_length_are_spliced_in() {
    for seq in [1, 23, 24, 255, 256, 65_535, 65_536, 5_000_000_000, i64::MAX] {
        let map = read(&account(&did(), AccountStatus::Takendown, TIME), "#account", seq);
        assert_eq!(map["status"], Ipld::String("takendown".into()));
        assert_eq!(map["active"], Ipld::Bool(false));
    }
}

#[test]
fn frames_have_the_fields_of_the_lexicon() {
    let map = read(&account(&did(), AccountStatus::Active, TIME), "#account", 7);
    assert_eq!(names(&map), ["active", "did", "seq", "time"]);
    let map = read(&identity(&did(), None, TIME), "#identity", 7);
    assert_eq!(names(&map), ["did", "seq", "time"]);
    let map = read(&identity(&did(), Some(&"alice.test".parse().unwrap()), TIME), "#identity", 7);
    assert_eq!(names(&map), ["did", "handle", "seq", "time"]);
}

#[test]
fn a_commit_frame_says_what_the_commit_did() {
    let key = SigningKey::generate();
    let record = crate::record::from_json(&serde_json::json!({"text": "hi"})).unwrap();
    let path: pds_syntax::RepoPath = "com.example.record/a".parse().unwrap();
    let write = Write::Create { path: path.clone(), cid: record.cid, bytes: record.bytes };
    let (repo, first) = Repo::create(did(), Tid::from_micros(1, 0), &[write], &key).unwrap();
    let map = read(&commit(&did(), &first, TIME), "#commit", 7);
    let fields = ["blobs", "blocks", "commit", "ops", "rebase", "repo", "rev", "seq", "since", "time", "tooBig"];
    assert_eq!(names(&map), fields);
    assert_eq!(map["since"], Ipld::Null);
    assert_eq!(map["blocks"], Ipld::Bytes(first.car().to_vec()));

    let (_, second) = repo.apply(&[Write::Delete { path }], Tid::from_micros(2, 0), &key).unwrap();
    let map = read(&commit(&did(), &second, TIME), "#commit", 8);
    assert_eq!(map["since"], Ipld::String(first.rev.to_string()));
    assert_eq!(map["prevData"], Ipld::Link(first.data.into()));
    let Ipld::List(ops) = &map["ops"] else { unreachable!("a list") };
    let Ipld::Map(op) = &ops[0] else { unreachable!("a map") };
    assert_eq!(names(op), ["action", "cid", "path", "prev"]);
    assert_eq!((&op["cid"], &op["prev"]), (&Ipld::Null, &Ipld::Link(record.cid.into())));

    let map = read(&sync(&did(), second.rev, &second.commit, &second.commit_bytes, TIME), "#sync", 9);
    assert_eq!(names(&map), ["blocks", "did", "rev", "seq", "time"]);
}
