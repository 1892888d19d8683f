//! Untrusted bytes: random ones, and damaged files. Nothing may panic, and damage must be detected.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use pds_crypto::SigningKey;
use pds_repo::{Cid, CommitDiff, Repo, Write, car, commit, event, mst::Tree, proof, record};
use pds_syntax::Tid;
use proptest::{prelude::*, sample::Index};
use serde_json::json;

/// Overwrites one byte, or truncates.
fn damage(bytes: &[u8], at: &Index, byte: Option<u8>) -> Vec<u8> {
    let (mut out, at) = (bytes.to_vec(), at.index(bytes.len()));
    match byte {
        Some(byte) => out[at] = byte,
        None => out.truncate(at),
    }
    out
}

/// A commit with a few records.
fn commit_of_many() -> CommitDiff {
    let writes: Vec<Write> = (0..60)
        .map(|n| {
            let record =
                record::from_json(&json!({"$type": "com.example.record", "n": n, "tags": ["a", "b"]})).unwrap();
            let path = format!("com.example.record/{n:04}").parse().unwrap();
            Write::Create { path, cid: record.cid, bytes: record.bytes }
        })
        .collect();
    let did = "did:plc:abc".parse().unwrap();
    Repo::create(did, Tid::from_micros(1, 0), &writes, &SigningKey::generate()).unwrap().1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_is_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = event::unpack(&Bytes::from(bytes.clone()));
        let _ = commit::decode(&bytes);
        let _ = record::decode(&bytes);
        if let Ok(reader) = car::Reader::new(&bytes) {
            let _ = reader.count();
        }
        let cid = Cid::dag_cbor(&bytes);
        let _ = Tree::partial(&cid, &HashMap::from([(cid, Bytes::from(bytes))]));
    }

    #[test]
    fn a_damaged_node_loads_as_what_it_says_or_not_at_all(at: Index, byte: Option<u8>) {
        let leaf = Cid::raw(b"leaf");
        let keys = (0..40).map(|n| (Arc::from(format!("com.example.record/{n:04}")), leaf));
        let (_, block) = Tree::from_sorted(keys).take_new().pop().unwrap();
        let damaged = damage(&block, &at, byte);
        let cid = Cid::dag_cbor(&damaged);
        // A tree that loads is canonical: its nodes are written as they were read.
        if let Ok(tree) = Tree::partial(&cid, &HashMap::from([(cid, Bytes::from(damaged.clone()))])) {
            let written = tree.proof("", false);
            prop_assert_eq!(written.map_or(damaged.clone(), |nodes| nodes[0].1.to_vec()), damaged);
        }
    }

    #[test]
    fn a_damaged_record_reads_as_what_it_says_or_not_at_all(at: Index, byte: Option<u8>) {
        let whole = record::from_json(&json!({"$type": "a.b.c", "n": [1, -70_000, null, true], "text": "hello", "l": {"$link": Cid::raw(b"").to_string()}})).unwrap();
        let damaged = Bytes::from(damage(&whole.bytes, &at, byte));
        if let Ok(value) = record::decode(&damaged) {
            prop_assert_eq!(serde_ipld_dagcbor::to_vec(&value).unwrap(), damaged);
        }
    }

    #[test]
    fn a_damaged_commit_event_proves_nothing(at: Index, byte: Option<u8>) {
        let diff = commit_of_many();
        let whole = diff.car();
        let damaged = damage(&whole, &at, byte);
        let empty = Tree::empty().root();
        prop_assert_eq!(proof::invert(&whole, &diff.ops).unwrap(), empty);
        if damaged != whole {
            // The proof does not need records, so a file that is truncated between two records is still a proof.
            match (byte, proof::invert(&damaged, &diff.ops)) {
                (Some(_), result) => prop_assert!(result.is_err()),
                (None, Ok(root)) => prop_assert_eq!(root, empty),
                (None, Err(_)) => {}
            }
        }
    }

    #[test]
    fn a_damaged_pack_is_unpacked_without_harm(at: Index, byte: Option<u8>) {
        let frame = event::commit(&"did:plc:abc".parse().unwrap(), &commit_of_many(), "2026-01-01T00:00:00.000Z");
        let packed = event::pack(&[frame.clone(), frame]);
        let _ = event::unpack(&damage(&packed, &at, byte).into());
    }
}
