//! The engine, compared with the reference library `@atproto/repo`: both compute the same roots, and the library verifies our exports.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use bytes::Bytes;
use data_encoding::BASE64;
use pds_crypto::SigningKey;
use pds_repo::{Repo, Write, car, mst::Item, record};
use pds_syntax::{Did, Tid};
use serde_json::{Value, json};

use super::properties::path;

/// Runs `reference.mjs` with a task and returns its result.
fn reference(task: &Value) -> Value {
    let folder = std::env::var("AURORA_NPM_DIR")
        .expect("AURORA_NPM_DIR is not set: run `make test`, which installs the packages");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reference.mjs");
    let mut child = Command::new(PathBuf::from(&folder).join("node"))
        .arg(script)
        .env("AURORA_NPM_DIR", &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "reference.mjs failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn roots_equal_the_references_and_the_export_verifies() {
    let (did, key) = ("did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse::<Did>().unwrap(), SigningKey::generate());
    let (mut repo, mut head) = Repo::create(did.clone(), Tid::from_micros(1, 0), &[], &key).unwrap();
    let (mut commits, mut roots, mut bodies) = (Vec::new(), Vec::new(), HashMap::new());
    // A fixed pseudo-random sequence of creations, updates and deletions of few keys, alone and in batches.
    let mut state = 12345u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for n in 0..160u64 {
        let mut writes = BTreeMap::new();
        for _ in 0..=[0, 0, 3, 20][next(4) as usize] {
            let path = path(next(220) as u16);
            let present = repo.tree.get(path.as_str()).unwrap().is_some();
            let record = record::from_json(&json!({"$type": path.collection(), "n": n})).unwrap();
            let (cid, bytes) = (record.cid, record.bytes);
            bodies.insert(cid, bytes.clone());
            let write = match (present, next(3)) {
                (true, 0) => Write::Delete { path: path.clone() },
                (true, _) => Write::Update { path: path.clone(), cid, bytes },
                (false, _) => Write::Create { path: path.clone(), cid, bytes },
            };
            writes.insert(path, write);
        }
        let writes: Vec<Write> = writes.into_values().collect();
        (repo, head) = repo.apply(&writes, Tid::from_micros(2 + n, 0), &key).unwrap();
        let ops: Vec<Value> = head.ops.iter().map(|op| json!({"path": op.path, "cid": op.cid})).collect();
        commits.push(json!({"ops": ops, "car": BASE64.encode(&head.car())}));
        roots.push(json!(head.data));
    }
    let mut blocks = vec![(head.commit, head.commit_bytes.clone())];
    blocks.extend(repo.tree.preorder().map(|item| match item {
        Item::Node(cid, block) => (cid, block),
        Item::Record(_, cid) => (cid, Bytes::clone(&bodies[&cid])),
    }));
    let export = car::write(&head.commit, blocks.iter().map(|(cid, block)| (cid, block)));
    let task = json!({"commits": commits, "did": did, "key": key.did_key(), "export": BASE64.encode(&export)});
    let answer = reference(&task);
    assert_eq!(answer["roots"], json!(roots));
    assert_eq!(answer["exported"], json!(repo.tree.len()));
    assert_eq!(answer["provenCommits"], json!(commits.len()));
}
