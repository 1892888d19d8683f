//! Properties of every sequence of operations.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use pds_crypto::SigningKey;
use pds_repo::{
    Cid, Repo, Write, car, commit,
    event::{self, Frame},
    mst::{Item, Tree},
    proof, record,
};
use pds_syntax::{Did, RepoPath, Tid};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A change of one of few paths, so that creations, updates and deletions occur.
#[derive(Clone, Debug)]
enum Step {
    Put(u16, u8),
    Delete(u16),
}

fn step() -> impl Strategy<Value = Step> {
    // Every second step uses one of few keys, so that several writes of a batch concern the same record.
    let key = || prop_oneof![0..400u16, 0..12u16];
    prop_oneof![3 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)), 2 => key().prop_map(Step::Delete)]
}

/// JSON that is in the data model.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-((1i64 << 53) - 1)..1 << 53).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        any::<[u8; 8]>().prop_map(|bytes| json!({"$link": Cid::raw(&bytes).to_string()})),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| json!({"$bytes": BASE64_NOPAD.encode(&bytes)})),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[^$].{0,30}", inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Keys that are in another order if collections are compared separately, and keys of the maximum length.
pub(crate) fn path(key: u16) -> RepoPath {
    let collections = ["app.bsky.feed.post", "app.bsky.feed.like", "a.b.c", "a.b.c.d", "a.b.c-d.e", "a.b-c.e"];
    let (collection, more) = (collections[usize::from(key) % collections.len()], usize::from(key) % 11 / 10 * 508);
    format!("{collection}/{key:04}{}", "~".repeat(more)).parse().unwrap()
}

fn body(value: u8) -> (Cid, Bytes) {
    let record = record::from_json(&serde_json::json!({"value": value})).unwrap();
    (record.cid, record.bytes)
}

/// The writes of a step that are possible with the existing records.
fn write(records: &BTreeMap<RepoPath, Cid>, step: &Step) -> Option<Write> {
    match step {
        Step::Put(key, value) => {
            let (path, (cid, bytes)) = (path(*key), body(*value));
            Some(if records.contains_key(&path) {
                Write::Update { path, cid, bytes }
            } else {
                Write::Create { path, cid, bytes }
            })
        }
        Step::Delete(key) => records.contains_key(&path(*key)).then(|| Write::Delete { path: path(*key) }),
    }
}

fn remember(records: &mut BTreeMap<RepoPath, Cid>, write: &Write) {
    match write {
        Write::Create { path, cid, .. } | Write::Update { path, cid, .. } => records.insert(path.clone(), *cid),
        Write::Delete { path } => records.remove(path),
    };
}

fn rebuilt(records: &BTreeMap<RepoPath, Cid>) -> Tree {
    let mut sorted: Vec<(Arc<str>, Cid)> = records.iter().map(|(path, cid)| (path.as_str().into(), *cid)).collect();
    sorted.sort();
    Tree::from_sorted(sorted)
}

fn export(repo: &Repo, commit_bytes: &Bytes) -> Vec<(Cid, Option<Bytes>)> {
    let nodes = repo.tree.preorder().map(|item| match item {
        Item::Node(cid, block) => (cid, Some(block)),
        Item::Record(_, cid) => (cid, None),
    });
    std::iter::once((repo.head.commit, Some(commit_bytes.clone()))).chain(nodes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_commit_equals_a_rebuild_and_can_be_undone(batches in prop::collection::vec(prop::collection::vec(step(), 1..40), 1..20)) {
        let (did, key) = ("did:plc:abc".parse::<Did>().unwrap(), SigningKey::generate());
        let (mut repo, first) = Repo::create(did.clone(), Tid::from_micros(1, 0), &[], &key).unwrap();
        let (mut records, mut micros, mut commit_bytes) = (BTreeMap::new(), 1, first.commit_bytes);
        for batch in batches {
            // Several writes to one record are applied in order.
            let mut writes: Vec<Write> = Vec::new();
            for step in &batch {
                if let Some(write) = write(&records, step) {
                    remember(&mut records, &write);
                    writes.push(write);
                }
            }
            micros += 1;
            let (next, diff) = repo.apply(&writes, Tid::from_micros(micros, 0), &key).unwrap();
            prop_assert_eq!(next.tree.root(), rebuilt(&records).root());
            prop_assert_eq!(next.tree.len(), records.len());
            prop_assert_eq!(Some(proof::invert(&diff.car(), &diff.ops).unwrap()), diff.prev_data);
            prop_assert_eq!(diff.prev_data, Some(repo.head.data));
            let paths: BTreeSet<_> = diff.ops.iter().map(|op| &op.path).collect();
            prop_assert_eq!(paths.len(), diff.ops.len());
            // Readers may invert the operations in any order.
            let mut shuffled = diff.ops.clone();
            shuffled.sort_by_key(|op| Cid::raw(op.path.as_str().as_bytes()));
            prop_assert_eq!(Some(proof::invert(&diff.car(), &shuffled).unwrap()), diff.prev_data);
            // A missing operation is detected.
            if shuffled.pop().is_some_and(|op| op.cid != op.prev) {
                prop_assert_ne!(proof::invert(&diff.car(), &shuffled).ok(), diff.prev_data);
            }
            commit::decode(&diff.commit_bytes).unwrap().verify(&key.public()).unwrap();
            commit_bytes = diff.commit_bytes;
            repo = next;
        }
        // An export contains each block once per place, the root first, and the tree can be loaded from its nodes.
        let blocks: HashMap<Cid, Bytes> = export(&repo, &commit_bytes).into_iter().filter_map(|(cid, block)| Some((cid, block?))).collect();
        prop_assert_eq!(Tree::partial(&repo.head.data, &blocks).unwrap().len(), records.len());
    }

    #[test]
    fn one_commit_may_hold_as_many_writes_as_the_protocol_allows(first in prop::collection::vec(step(), 0..200), second in prop::collection::vec(step(), 150..400)) {
        let (did, key) = ("did:plc:abc".parse::<Did>().unwrap(), SigningKey::generate());
        let mut records = BTreeMap::new();
        let batch = |steps: &[Step], records: &mut BTreeMap<RepoPath, Cid>| {
            let mut writes: BTreeMap<RepoPath, Write> = BTreeMap::new();
            for write in steps.iter().filter_map(|step| write(records, step)).take(pds_repo::MAX_WRITES) {
                writes.insert(write.path().clone(), write);
            }
            writes.values().for_each(|write| remember(records, write));
            writes.into_values().collect::<Vec<_>>()
        };
        let (repo, _) = Repo::create(did, Tid::from_micros(1, 0), &batch(&first, &mut records), &key).unwrap();
        let (repo, diff) = repo.apply(&batch(&second, &mut records), Tid::from_micros(2, 0), &key).unwrap();
        prop_assert_eq!(repo.tree.root(), rebuilt(&records).root());
        prop_assert_eq!(Some(proof::invert(&diff.car(), &diff.ops).unwrap()), diff.prev_data);
    }

    #[test]
    fn packed_frames_come_back(frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..40)), 0..8)) {
        let frames: Vec<Frame> = frames.into_iter().map(|(prefix, suffix)| Frame { prefix: prefix.into(), suffix: suffix.into() }).collect();
        prop_assert_eq!(event::unpack(&event::pack(&frames).into()).unwrap(), frames);
    }

    #[test]
    fn records_come_back(value in value()) {
        let json = json!({"value": value});
        let record = record::from_json(&json).unwrap();
        prop_assert_eq!(&crate::data_model::read(&record.bytes), &json);
        prop_assert_eq!(record::from_bytes(record.bytes.clone()).unwrap().cid, record.cid);
    }

    #[test]
    fn car_files_come_back(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8)) {
        let blocks: Vec<(Cid, Bytes)> = blocks.into_iter().map(|block| (Cid::raw(&block), block.into())).collect();
        let file = car::write(&blocks[0].0, blocks.iter().map(|(cid, block)| (cid, block)));
        let reader = car::Reader::new(&file).unwrap();
        prop_assert_eq!(reader.root, blocks[0].0);
        let read: Vec<(Cid, Bytes)> = reader.map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap()).collect();
        prop_assert_eq!(read, blocks);
    }
}
