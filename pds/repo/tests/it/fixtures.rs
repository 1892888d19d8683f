//! The fixtures of the protocol: trees, proofs, and commits from the network.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use pds_repo::{Cid, car, commit, mst::Tree};
use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

fn keys(value: &Value) -> Vec<Arc<str>> {
    value.as_array().unwrap().iter().map(|key| text(key).into()).collect()
}

#[test]
fn covering_proofs_hold_what_the_protocol_says() {
    let cases: Vec<Value> = serde_json::from_str(&super::interop("repo/testdata/commit-proof-fixtures.json")).unwrap();
    for case in &cases {
        let leaf: Cid = text(&case["leafValue"]).parse().unwrap();
        let mut tree = Tree::empty();
        for key in keys(&case["keys"]) {
            tree.put(&key, leaf).unwrap();
        }
        assert_eq!(tree.root().to_string(), text(&case["rootBeforeCommit"]), "{}", case["comment"]);
        let (adds, dels) = (keys(&case["adds"]), keys(&case["dels"]));
        for key in &adds {
            tree.put(key, leaf).unwrap();
        }
        for key in &dels {
            assert_eq!(tree.delete(key).unwrap(), Some(leaf));
        }
        assert_eq!(tree.root().to_string(), text(&case["rootAfterCommit"]), "{}", case["comment"]);

        // The commit contains all blocks that the fixture requires: new nodes and the proofs of the operations.
        let mut blocks: HashMap<Cid, Bytes> = HashMap::new();
        for key in &adds {
            blocks.extend(tree.proof(key, true).unwrap());
        }
        for key in &dels {
            blocks.extend(tree.proof(key, false).unwrap());
        }
        for wanted in case["blocksInProof"].as_array().unwrap() {
            let cid: Cid = text(wanted).parse().unwrap();
            assert!(blocks.contains_key(&cid), "{}: {cid} is missing", case["comment"]);
        }
        // These blocks suffice to invert the commit.
        let mut partial = Tree::partial(&tree.root(), &blocks).unwrap();
        for key in &dels {
            partial.put(key, leaf).unwrap();
        }
        for key in &adds {
            partial.delete(key).unwrap();
        }
        assert_eq!(partial.root().to_string(), text(&case["rootBeforeCommit"]), "{}", case["comment"]);
    }
}

#[test]
fn a_tree_of_the_example_keys_does_not_depend_on_the_order() {
    let text = super::interop("repo/mst/testdata/example_keys.txt");
    let mut keys: Vec<Arc<str>> = text.lines().filter(|line| !line.is_empty()).map(Arc::from).collect();
    let leaf = Cid::raw(b"leaf");
    let mut tree = Tree::empty();
    for key in &keys {
        tree.put(key, leaf).unwrap();
    }
    keys.sort();
    assert_eq!(Tree::from_sorted(keys.iter().map(|key| (key.clone(), leaf))).root(), tree.root());
    assert_eq!(tree.len(), keys.len());
}

#[test]
fn commits_from_the_network_can_be_read() {
    for file in [
        "firehose_commit_4621332152",
        "firehose_commit_4623075231",
        "firehose_commit_4621317030",
        "firehose_commit_4621317332",
    ] {
        let event: Value = serde_json::from_str(&super::interop(&format!("repo/testdata/{file}.json"))).unwrap();
        let bytes = text(&event["blocks"]["$bytes"]).trim_end_matches('=');
        let bytes = BASE64_NOPAD.decode(bytes.as_bytes()).unwrap();
        let reader = car::Reader::new(&bytes).unwrap();
        let root = reader.root;
        let blocks: HashMap<Cid, Bytes> =
            reader.map(|block| block.map(|(cid, bytes)| (cid, Bytes::copy_from_slice(bytes))).unwrap()).collect();
        let commit = commit::decode(&blocks[&root]).unwrap();
        assert_eq!(commit.did.as_str(), text(&event["repo"]));
        let tree = Tree::partial(&commit.data, &blocks).unwrap();
        for op in event["ops"].as_array().unwrap().iter().filter(|op| op["cid"].is_object()) {
            let found = tree.get(text(&op["path"])).unwrap().unwrap();
            assert_eq!(found.to_string(), text(&op["cid"]["$link"]), "{file}");
        }
    }
}
