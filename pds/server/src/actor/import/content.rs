//! What a file holds: a repository of the account's, checked from its commit to its last record.

use std::cmp::Ordering;

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
    /// A key that is no path of a record.
    #[error("the tree has a key that is no path of a record: {0}")]
    Path(#[from] pds_syntax::Error),
    /// A record that is not in the file.
    #[error("record {path} ({cid}) is not in the CAR file")]
    Missing {
        /// Where it should be.
        path: RepoPath,
        /// Its CID.
        cid: Cid,
    },
    /// A block that is no record.
    #[error("record {path} ({cid}) is not valid: {reason}")]
    Record {
        /// Where it is.
        path: RepoPath,
        /// Its CID.
        cid: Cid,
        /// Why not.
        reason: record::Error,
    },
}

/// A whole repository, with its blocks on disk.
#[derive(Debug)]
pub(super) struct Content {
    /// Its records' paths and CIDs.
    pub(super) tree: Tree,
    /// Of the commit in the file.
    pub(super) rev: Tid,
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
        let mut records = Vec::with_capacity(tree.len());
        for (key, cid) in tree.records() {
            records.push(Record::read(&spool, key.parse().map_err(Invalid::Path)?, cid)?);
        }
        Ok(Self { tree, rev: commit.rev, records, spool })
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
                        changes.push(Change::Delete(key.parse().map_err(Invalid::Path)?))
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
            changes.push(Change::Delete(key.parse().map_err(Invalid::Path)?));
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
    fn read(spool: &Spool, path: RepoPath, cid: Cid) -> Result<Self, Error> {
        let block = spool.block(&cid)?.filter(|_| cid.codec() == Codec::DagCbor);
        let Some(block) = block else { return Err(Invalid::Missing { path, cid }.into()) };
        let subject_hash = subject_hash_of_block(path.collection(), &block);
        match record::from_bytes(block) {
            Ok(record) => {
                let blobs = record.blobs.iter().map(|blob| blob.cid).collect();
                Ok(Self { path, cid, subject_hash, blobs })
            }
            Err(reason) => Err(Invalid::Record { path, cid, reason }.into()),
        }
    }

    fn put(&self, spool: &Spool) -> Result<Put, Error> {
        let missing = || Invalid::Missing { path: self.path.clone(), cid: self.cid };
        let body = spool.block(&self.cid)?.ok_or_else(missing)?;
        let (path, blobs) = (self.path.clone(), self.blobs.to_vec());
        Ok(Put { path, cid: self.cid, body, subject_hash: self.subject_hash, blobs })
    }
}
