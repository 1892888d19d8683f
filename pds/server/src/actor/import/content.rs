//! What a file holds: a repository of the account's, checked from its commit to its last record.

use std::{cmp::Ordering, io, iter::Peekable, sync::Arc};

use bytes::Bytes;
use pds_repo::{
    Cid, Codec, car, commit,
    mst::{self, Records, Tree},
    record,
};
use pds_store::{
    Dialect,
    commit::{Put, Write},
};
use pds_syntax::{Did, Nsid, RepoPath, Tid};

use super::{Error, spool::Spool};
use crate::actor::prepare::subject_hash_of_block;

/// How much is written at once, about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    records: usize,
    bytes: usize,
}

impl Portion {
    /// On SQLite others wait for as long as a portion takes: with 100 records about as long as a commit of their own does. On Postgres nobody
    /// waits, and each portion is a transaction with a flush.
    pub(super) fn on(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self { records: 100, bytes: 256 << 10 },
            Dialect::Postgres => Self { records: 500, bytes: 1 << 20 },
        }
    }
}

/// Why a file is not the account's repository.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// More records than the host takes.
    #[error("the repository has more than {limit} records, or more blocks than they can need")]
    TooMany {
        /// Records.
        limit: u64,
    },
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

/// A whole repository, with its blocks on disk. In memory are only the tree and where each block is.
#[derive(Debug)]
pub(super) struct Content {
    /// Its records' paths and CIDs.
    pub(super) tree: Tree,
    /// Of the commit in the file.
    pub(super) rev: Tid,
    pub(super) report: Report,
    spool: Spool,
}

/// A record in the file: what a row has beside the body.
struct Record {
    path: RepoPath,
    body: Bytes,
    subject_hash: Option<i64>,
    blobs: Vec<Cid>,
}

/// What makes one repository another, in the order of paths.
pub(super) struct Changes {
    theirs: Peekable<Records>,
    before: Peekable<Records>,
    /// Creations, or what changes and goes.
    which: Which,
}

/// The two parts of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Records at paths where there are none.
    Created,
    /// Records that are changed or deleted.
    Replaced,
}

impl Content {
    /// Reads what the spool holds under `root`. Every node and every record is looked at, once and in order.
    pub(super) fn read(spool: Spool, root: &Cid, did: &Did, most_records: u64) -> Result<Self, Error> {
        let commit = spool.block(root)?.and_then(|block| commit::decode(&block).ok()).ok_or(Invalid::Commit(*root))?;
        if commit.did != *did {
            return Err(Invalid::Did { found: commit.did, expected: did.clone() }.into());
        }
        let tree = Tree::read(&commit.data, |cid| spool.block(cid).map_err(Error::from))?;
        if tree.len() as u64 > most_records {
            return Err(Invalid::TooMany { limit: most_records }.into());
        }
        let mut report = Report::default();
        for (key, cid) in tree.records() {
            match Record::read(&spool, &key, cid)? {
                Ok((_, fault)) => {
                    report.records += 1;
                    if let Some(fault) = fault {
                        report.kept.add(&key, cid, fault);
                    }
                }
                Err(reason) => report.left_out.add(&key, cid, reason),
            }
        }
        if report.left_out.count == 0 {
            return Ok(Self { tree, rev: commit.rev, report, spool });
        }
        let (mut kept, mut failed) = (Vec::with_capacity(report.records), None);
        for (key, cid) in tree.records() {
            match Record::read(&spool, &key, cid) {
                Ok(Ok(_)) => kept.push((key, cid)),
                Ok(Err(_)) => {}
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Self { tree: Tree::from_sorted(kept), rev: commit.rev, report, spool }),
        }
    }

    /// What makes the repository `before` this one.
    pub(super) fn changes(&self, before: &Tree, which: Which) -> Changes {
        Changes { theirs: self.tree.records().peekable(), before: before.records().peekable(), which }
    }

    /// The next portion of changes, as the store takes them; none at the end.
    pub(super) fn portion(&self, changes: &mut Changes, most: Portion) -> Result<Option<Vec<Write>>, Error> {
        let (mut writes, mut bytes) = (Vec::new(), 0);
        while writes.len() < most.records && bytes < most.bytes {
            let Some((key, now, before)) = changes.step() else { break };
            let write = match (now, before) {
                (None, _) => Write::Delete { path: path(&key)? },
                (Some(cid), before) => {
                    let record = Record::read(&self.spool, &key, cid)?;
                    let (record, _) = record.map_err(|reason| io::Error::other(format!("{key}: {reason}")))?;
                    bytes += record.body.len();
                    let Record { path, body, subject_hash, blobs } = record;
                    let put = Put { path, cid, body, subject_hash, blobs };
                    if before.is_some() { Write::Update(put) } else { Write::Create(put) }
                }
            };
            writes.push(write);
        }
        Ok(Some(writes).filter(|writes| !writes.is_empty()))
    }
}

impl Changes {
    /// A key with its record now and before, one of which is another. Both sides are in order, so one pass over them finds what differs.
    fn step(&mut self) -> Option<(Arc<str>, Option<Cid>, Option<Cid>)> {
        loop {
            let order = match (self.theirs.peek(), self.before.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((theirs, _)), Some((before, _))) => theirs.as_bytes().cmp(before.as_bytes()),
            };
            let theirs = if order == Ordering::Greater { None } else { self.theirs.next() };
            let before = if order == Ordering::Less { None } else { self.before.next() };
            let key = theirs.as_ref().or(before.as_ref()).map(|(key, _)| key.clone())?;
            let (now, was) = (theirs.map(|(_, cid)| cid), before.map(|(_, cid)| cid));
            let which = if was.is_none() { Which::Created } else { Which::Replaced };
            if now != was && which == self.which {
                return Some((key, now, was));
            }
        }
    }
}

impl Record {
    /// A record of the tree with what the data model has against it, or why it cannot be had.
    fn read(spool: &Spool, key: &str, cid: Cid) -> Result<Result<(Self, Option<String>), String>, Error> {
        let path: RepoPath = match key.parse() {
            Ok(path) => path,
            Err(error) => return Ok(Err(format!("its key is no path of a record: {error}"))),
        };
        if path.collection().parse().is_ok_and(|collection: Nsid| !collection.is_canonical()) {
            return Ok(Err("the domain in the name of its collection is not in lower case".to_owned()));
        }
        if cid.codec() != Codec::DagCbor {
            return Ok(Err("its CID is not that of a record".to_owned()));
        }
        let Some(block) = spool.block(&cid)? else { return Ok(Err("it is not in the CAR file".to_owned())) };
        let subject_hash = subject_hash_of_block(path.collection(), &block);
        Ok(match record::from_foreign_bytes(block) {
            Ok((record, fault)) => {
                let blobs = record.blobs.iter().map(|blob| blob.cid).collect();
                Ok((Self { path, body: record.bytes, subject_hash, blobs }, fault.map(|fault| fault.to_string())))
            }
            Err(reason) => Err(reason.to_string()),
        })
    }
}

/// A key that has been looked at before.
fn path(key: &str) -> Result<RepoPath, Error> {
    key.parse().map_err(|error| io::Error::other(format!("{key} is no path of a record: {error}")).into())
}
