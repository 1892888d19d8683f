//! What a file holds: a repository of the account's, checked from its commit to its last record.

use std::{cmp::Ordering, io, sync::Arc};

use pds_repo::{
    Cid, Codec, car, commit,
    mst::{self, Tree},
    record,
};
use pds_store::commit::{Put, Write};
use pds_syntax::{Did, RepoPath, Tid};

use super::{Error, spool::Spool};
use crate::actor::prepare::subject_hash_of_block;

/// What is written at once, about.
const WRITES: usize = 500;
const BYTES: usize = 1 << 20;

/// Why a file is not the account's repository.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// Not a CAR file, or a damaged one.
    #[error(transparent)]
    File(car::Error),
    /// The root is not there or is no commit.
    #[error("the root {0} of the CAR file is not a commit in it")]
    Commit(Cid),
    /// Somebody else's.
    #[error("the commit is of {found}, the account is {expected}")]
    Did {
        /// In the commit.
        found: Did,
        /// The account's.
        expected: Did,
    },
    /// The tree is not whole, or not the one that its records make.
    #[error(transparent)]
    Tree(mst::Error),
}

/// What a file holds that is not as it should be. The repository moves in all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records that came with the repository, without those that were left out.
    pub records: usize,
    /// Records outside the data model, which were kept as they are.
    pub kept: Noted,
    /// Records that were left out: they could be neither read nor shown here.
    pub left_out: Noted,
}

/// Records of which something is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Note>,
}

/// What is to be told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its key in the tree, which need not be the path of a record.
    pub path: String,
    /// Of its block.
    pub cid: Cid,
    /// What is wrong.
    pub reason: String,
}

/// Notes that are told one by one.
const NOTES: usize = 1_000;

impl Noted {
    fn add(&mut self, path: &str, cid: Cid, reason: String) {
        self.count += 1;
        if self.first.len() < NOTES {
            self.first.push(Note { path: path.to_owned(), cid, reason });
        }
    }
}

/// A whole repository, with its blocks on disk.
#[derive(Debug)]
pub(super) struct Content {
    /// Its records' paths and CIDs.
    pub(super) tree: Tree,
    /// Of the commit in the file.
    pub(super) rev: Tid,
    pub(super) report: Report,
    records: Vec<Record>,
    spool: Spool,
}

/// A record in the file: what a row has beside the body.
#[derive(Debug)]
struct Record {
    path: RepoPath,
    cid: Cid,
    subject_hash: Option<i64>,
    blobs: Box<[Cid]>,
}

/// A difference between the file and the repository in the database.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The record of this number, at a path where there was none.
    Create(usize),
    /// The same, where there was another.
    Update(usize),
    Delete(RepoPath),
}

impl Content {
    /// Reads what the spool holds under `root`. Every node and every record is looked at, once and in order.
    pub(super) fn read(spool: Spool, root: &Cid, did: &Did) -> Result<Self, Error> {
        let commit = spool.block(root)?.and_then(|block| commit::decode(&block).ok()).ok_or(Invalid::Commit(*root))?;
        if commit.did != *did {
            return Err(Invalid::Did { found: commit.did, expected: did.clone() }.into());
        }
        let tree = Tree::read(&commit.data, |cid| spool.block(cid).map_err(Error::from))?;
        let (mut records, mut report) = (Vec::with_capacity(tree.len()), Report::default());
        for (key, cid) in tree.records() {
            match Record::read(&spool, &key, cid)? {
                Ok((record, fault)) => {
                    if let Some(fault) = fault {
                        report.kept.add(&key, cid, fault);
                    }
                    records.push(record);
                }
                Err(reason) => report.left_out.add(&key, cid, reason),
            }
        }
        report.records = records.len();
        let tree = match report.left_out.count {
            0 => tree,
            _ => Tree::from_sorted(records.iter().map(|record| (Arc::from(record.path.as_str()), record.cid))),
        };
        Ok(Self { tree, rev: commit.rev, report, records, spool })
    }

    /// What makes the repository `before` this one, in portions for one statement each.
    pub(super) fn portions(&self, before: &Tree) -> Result<Vec<Vec<Change>>, Error> {
        let (mut portions, mut portion, mut bytes) = (Vec::new(), Vec::new(), 0);
        for change in self.changes(before)? {
            bytes += match &change {
                Change::Create(at) | Change::Update(at) => self.spool.len(&self.records[*at].cid),
                Change::Delete(_) => 0,
            };
            portion.push(change);
            if portion.len() == WRITES || bytes >= BYTES {
                portions.push(std::mem::take(&mut portion));
                bytes = 0;
            }
        }
        portions.push(portion);
        Ok(portions)
    }

    /// Both sides are in order, so one pass over them finds what differs.
    fn changes(&self, before: &Tree) -> Result<Vec<Change>, Error> {
        let (mut changes, mut before) = (Vec::new(), before.records().peekable());
        for (at, record) in self.records.iter().enumerate() {
            loop {
                let order = before.peek().map(|(key, _)| key.as_bytes().cmp(record.path.as_str().as_bytes()));
                match (order, before.peek()) {
                    (Some(Ordering::Less), Some((key, _))) => {
                        changes.push(Change::Delete(stored(&key)?))
                    }
                    (Some(Ordering::Equal), Some((_, cid))) => {
                        if *cid != record.cid {
                            changes.push(Change::Update(at));
                        }
                        before.next();
                        break;
                    }
                    _ => {
                        changes.push(Change::Create(at));
                        break;
                    }
                }
                before.next();
            }
        }
        for (key, _) in before {
            changes.push(Change::Delete(stored(&key)?));
        }
        Ok(changes)
    }

    /// A portion as the store takes it.
    pub(super) fn writes(&self, portion: Vec<Change>) -> Result<Vec<Write>, Error> {
        let put = |at: usize| self.records[at].put(&self.spool);
        let write = |change| match change {
            Change::Create(at) => put(at).map(Write::Create),
            Change::Update(at) => put(at).map(Write::Update),
            Change::Delete(path) => Ok(Write::Delete { path }),
        };
        portion.into_iter().map(write).collect()
    }
}

impl Record {
    /// A record of the tree with what the data model has against it, or why it cannot be had.
    #[expect(clippy::type_complexity, reason = "the disk may fail, the record may be none, and it may be one with a fault")]
    fn read(spool: &Spool, key: &str, cid: Cid) -> Result<Result<(Self, Option<String>), String>, Error> {
        let path: RepoPath = match key.parse() {
            Ok(path) => path,
            Err(error) => return Ok(Err(format!("its key is no path of a record: {error}"))),
        };
        if cid.codec() != Codec::DagCbor {
            return Ok(Err("its CID is not that of a record".to_owned()));
        }
        let Some(block) = spool.block(&cid)? else { return Ok(Err("it is not in the CAR file".to_owned())) };
        let subject_hash = subject_hash_of_block(path.collection(), &block);
        Ok(match record::from_foreign_bytes(block) {
            Ok((record, fault)) => {
                let blobs = record.blobs.iter().map(|blob| blob.cid).collect();
                Ok((Self { path, cid, subject_hash, blobs }, fault.map(|fault| fault.to_string())))
            }
            Err(reason) => Err(reason.to_string()),
        })
    }

    fn put(&self, spool: &Spool) -> Result<Put, Error> {
        let gone = || io::Error::other(format!("record {} is not in the temporary file any more", self.path));
        let body = spool.block(&self.cid)?.ok_or_else(gone)?;
        let (path, blobs) = (self.path.clone(), self.blobs.to_vec());
        Ok(Put { path, cid: self.cid, body, subject_hash: self.subject_hash, blobs })
    }
}

/// A path that is in the database.
fn stored(key: &str) -> Result<RepoPath, Error> {
    key.parse().map_err(|error| io::Error::other(format!("{key} is no path of a record: {error}")).into())
}
