//! Batches of writes to a repository, as in `applyWrites`.
//!
//! After each commit, the tree equals one that is built from all records. The blocks of the commit suffice to invert its operations in any
//! order, which gives the previous root. Without a required block, or with a wrong operation, the inversion never gives that root.

use std::{collections::BTreeMap, sync::Arc, sync::LazyLock};

use bytes::Bytes;
use pds_crypto::SigningKey;
use pds_repo::{Action, Cid, CommitDiff, Op, Repo, Write, car, commit, mst::Tree, proof, record};
use pds_syntax::{RepoPath, Tid};
use serde_json::json;

use crate::{input::Input, tree::key};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]).expect("in the group"));

pub(crate) fn did() -> pds_syntax::Did {
    "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().expect("a DID")
}

/// A repository, and the records that it should contain.
pub(crate) struct Subject {
    repo: Repo,
    records: BTreeMap<RepoPath, Cid>,
    micros: u64,
}

impl Subject {
    pub(crate) fn new() -> Self {
        let (repo, _) = Repo::create(did(), Tid::from_micros(1, 0), &[], &KEY).expect("an empty repository");
        Self { repo, records: BTreeMap::new(), micros: 1 }
    }

    /// Makes the next commit from the input.
    pub(crate) fn commit(&mut self, input: &mut Input<'_>) -> CommitDiff {
        let mut writes: BTreeMap<RepoPath, Write> = BTreeMap::new();
        for _ in 0..=input.below(12) {
            let (path, value) = (key(input.below(256)).parse::<RepoPath>().expect("a path"), input.byte());
            let record = record::from_json(&json!({ "value": value })).expect("a record");
            let (cid, bytes) = (record.cid, record.bytes);
            let write = match (self.records.contains_key(&path), value % 3) {
                (true, 0) => Write::Delete { path: path.clone() },
                (true, _) => Write::Update { path: path.clone(), cid, bytes },
                (false, _) => Write::Create { path: path.clone(), cid, bytes },
            };
            writes.insert(path, write);
        }
        // Change the order, which is that of the paths.
        let mut writes: Vec<Write> = writes.into_values().collect();
        let turn = input.below(writes.len());
        writes.rotate_left(turn);
        for write in &writes {
            match write {
                Write::Create { path, cid, .. } | Write::Update { path, cid, .. } => {
                    self.records.insert(path.clone(), *cid)
                }
                Write::Delete { path } => self.records.remove(path),
            };
        }
        self.micros += 1;
        let (next, diff) = self.repo.apply(&writes, Tid::from_micros(self.micros, 0), &KEY).expect("writes that fit");
        self.repo = next;
        diff
    }
}

pub(crate) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut subject = Subject::new();
    while !input.is_empty() {
        let before = subject.repo.head.data;
        let diff = subject.commit(&mut input);
        assert_eq!(diff.prev_data, Some(before));
        assert_eq!(subject.repo.tree.root(), rebuilt(&subject.records).root());
        assert_eq!(subject.repo.tree.len(), subject.records.len());
        let mut ops = diff.ops.clone();
        assert_eq!(proof::invert(&diff.car(), &ops).expect("the commit proves itself"), before);
        let turn = input.below(ops.len());
        ops.rotate_left(turn);
        assert_eq!(proof::invert(&diff.car(), &ops).expect("in any order"), before);
        check_without_block(&diff, before, input.byte());
        check_wrong_operation(&diff, &ops, before, input.byte());
    }
    let head = subject.repo.head;
    assert_eq!((head.rev, head.data), (Tid::from_micros(subject.micros, 0), subject.repo.tree.root()));
}

fn rebuilt(records: &BTreeMap<RepoPath, Cid>) -> Tree {
    // The order of the paths is the order of their bytes.
    Tree::from_sorted(records.iter().map(|(path, cid)| (Arc::from(path.as_str()), *cid)))
}

/// Inverts the commit without one of its blocks.
fn check_without_block(diff: &CommitDiff, before: Cid, at: u8) {
    let at = usize::from(at) % diff.blocks.len();
    let kept: Vec<&(Cid, Bytes)> =
        diff.blocks.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, block)| block).collect();
    let file = car::write(&diff.commit, kept.into_iter().map(|(cid, block)| (cid, block)));
    // Some blocks are not required for the inversion. Without a required one the inversion fails; it never gives another root.
    match proof::invert(&file, &diff.ops) {
        Ok(root) => assert_eq!(root, before),
        Err(proof::Error::Tree(_)) => {}
        Err(other) => unreachable!("{other}"),
    }
    assert!(at > 0 || proof::invert(&file, &diff.ops).is_err(), "the commit itself is needed");
    assert!(commit::decode(&diff.commit_bytes).is_ok_and(|commit| commit.verify(&KEY.public()).is_ok()));
}

/// Inverts the commit with one wrong, missing or additional operation.
fn check_wrong_operation(diff: &CommitDiff, ops: &[Op], before: Cid, what: u8) {
    let (mut ops, other) = (ops.to_vec(), Cid::raw(b"another"));
    let at = usize::from(what / 8) % ops.len();
    let told = ops[at].clone();
    match what % 4 {
        0 => ops[at].cid = Some(other),
        1 => ops[at].prev = Some(other),
        2 => drop(ops.remove(at)),
        _ => ops.push(Op {
            action: Action::Create,
            path: "a.b.c/never".parse().expect("a path"),
            cid: Some(other),
            prev: None,
        }),
    }
    let unchanged = told.action == Action::Update && told.cid == told.prev && what % 4 == 2;
    let unread = told.action == Action::Create && what % 4 == 1;
    if !unchanged && !unread {
        assert_ne!(proof::invert(&diff.car(), &ops).ok(), Some(before), "{told:?} replaced in {ops:?}");
    }
}
