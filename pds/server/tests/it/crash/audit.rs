//! The stream, checked as it arrives: numbers, signatures, chains of commits, and the repositories that it adds up to.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use pds_crypto::PublicKey;
use pds_repo::{Action, Cid, car, commit};

use super::ledger::Ledger;
use crate::harness::Event;

/// Everything the stream has told, by the reader that is furthest.
pub(super) struct Audit {
    ledger: Arc<Ledger>,
    keys: HashMap<String, PublicKey>,
    story: Mutex<Story>,
}

/// The events so far.
#[derive(Default)]
struct Story {
    /// Hashes of the frames; the first is number 1.
    frames: Vec<Cid>,
    repositories: BTreeMap<String, Repository>,
}

/// A repository as its commits make it.
#[derive(Clone, Debug, Default)]
pub(super) struct Repository {
    pub(super) rev: String,
    pub(super) commit: Option<Cid>,
    data: Option<Cid>,
    pub(super) records: BTreeMap<String, Cid>,
}

impl Audit {
    pub(super) fn new(ledger: Arc<Ledger>, keys: HashMap<String, PublicKey>) -> Self {
        Self { ledger, keys, story: Mutex::default() }
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame that a follower whose last one was `last` has received; its number. The first follower to bring it has it checked,
    /// the others must bring the same.
    pub(super) fn take(&self, last: i64, frame: &[u8]) -> i64 {
        let event = Event::read(frame);
        assert_eq!(event.seq, last + 1, "a {} follows {last}", event.kind);
        let (index, hash) = (usize::try_from(last).unwrap(), Cid::raw(frame));
        let story = &mut *self.story();
        match story.frames.get(index) {
            Some(known) => assert_eq!(*known, hash, "frame {} is another one elsewhere", event.seq),
            None => {
                story.frames.push(hash);
                self.check(story, &event);
            }
        }
        event.seq
    }

    fn check(&self, story: &mut Story, event: &Event) {
        let Some(commit) = &event.commit else { return };
        let key = self.keys.get(&commit.did).unwrap_or_else(|| panic!("nobody has signed up as {}", commit.did));
        let blocks: HashMap<Cid, &[u8]> = car::Reader::new(&commit.blocks).unwrap().map(Result::unwrap).collect();
        assert_eq!(car::Reader::new(&commit.blocks).unwrap().root, commit.cid);
        let signed = commit::decode(blocks[&commit.cid]).unwrap();
        signed.verify(key).unwrap();
        assert_eq!((signed.did.to_string(), signed.rev.to_string()), (commit.did.clone(), commit.rev.clone()));

        let repository = story.repositories.entry(commit.did.clone()).or_default();
        let seq = event.seq;
        assert_eq!(commit.since.as_deref().unwrap_or_default(), repository.rev, "event {seq}: since");
        assert!(repository.rev < commit.rev, "event {seq}: {} after {}", commit.rev, repository.rev);
        // The operations undone on the commit's tree give the tree of the commit before.
        assert!(repository.data.is_none_or(|data| data == commit.before), "event {seq}: prevData");
        for op in &event.ops {
            let path = op.path.to_string();
            let before = match op.cid {
                Some(cid) => {
                    assert!(blocks.contains_key(&cid), "event {seq} lacks the record {path}");
                    repository.records.insert(path, cid)
                }
                None => repository.records.remove(&path),
            };
            assert_eq!(before, op.prev, "event {seq}: before {op:?}");
            assert_eq!(before.is_none(), op.action == Action::Create, "event {seq}: {op:?}");
        }
        repository.rev.clone_from(&commit.rev);
        (repository.commit, repository.data) = (Some(commit.cid), Some(signed.data));
        self.ledger.tell(event);
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> i64 {
        i64::try_from(self.story().frames.len()).unwrap()
    }

    /// Whose commits there are, and what they add up to.
    pub(super) fn repositories(&self) -> BTreeMap<String, Repository> {
        self.story().repositories.clone()
    }

    /// Where a repository stands as far as has been told.
    pub(super) fn rev(&self, did: &str) -> String {
        self.story().repositories.get(did).map(|repository| repository.rev.clone()).unwrap_or_default()
    }

    /// Reads an export: signed by its owner, and whole. Revision, commit, records.
    pub(super) fn export(&self, did: &str, file: &[u8]) -> (String, Cid, BTreeMap<String, Cid>) {
        let root = car::Reader::new(file).unwrap().root;
        let blocks: HashMap<Cid, Bytes> = car::Reader::new(file)
            .unwrap()
            .map(|block| block.map(|(cid, block)| (cid, Bytes::copy_from_slice(block))).unwrap())
            .collect();
        let signed = commit::decode(&blocks[&root]).unwrap();
        signed.verify(&self.keys[did]).unwrap();
        let tree = pds_repo::mst::Tree::partial(&signed.data, &blocks).unwrap();
        let records = tree.preorder().filter_map(|item| match item {
            pds_repo::mst::Item::Record(path, cid) => {
                assert!(blocks.contains_key(&cid), "record {path} of {did} is missing");
                Some((path.to_string(), cid))
            }
            pds_repo::mst::Item::Node(..) => None,
        });
        (signed.rev.to_string(), root, records.collect())
    }
}
