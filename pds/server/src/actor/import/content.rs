//! The repository in a file, checked from its commit to its last record.

use std::{cmp::Ordering, collections::BTreeSet, fs::File, io, iter::Peekable, sync::Arc};

use bytes::Bytes;
use pds_config::Import;
use pds_repo::{
    Cid, Codec,
    commit::{self, Signed},
    mst::{Builder, Records, Tree},
    record,
};
use pds_store::commit::{Put, RecordWrite};
use pds_syntax::{Did, Nsid, RepoPath, Tid};

use super::{
    Error, Invalid, Report,
    memory::Part as MemoryPart,
    portion::{Filled, PortionSize},
    spool::Spool,
};
use crate::actor::{prepare::subject_hash_of_block, write::MAX_BLOBS};

/// A repository with its blocks on disk. In memory are only the tree and the place of each block.
#[derive(Debug)]
pub(super) struct Content {
    /// Paths and CIDs of the records that are imported.
    pub(super) tree: Tree,
    /// Revision of the commit in the file.
    pub(super) rev: Tid,
    /// The commit in the file.
    pub(super) commit: Signed,
    pub(super) report: Report,
    /// Bytes of all records that are imported.
    pub(super) body_bytes: u64,
    spool: Spool,
    _memory: MemoryPart,
}

/// A record in the file, with the columns of its row.
struct Record {
    path: RepoPath,
    body: Bytes,
    subject_hash: Option<i64>,
    blobs: Vec<Cid>,
}

/// The differences of two repositories, in the order of paths.
pub(super) struct Differences {
    imported: Peekable<Records>,
    before: Peekable<Records>,
    part: Part,
}

/// A record that differs. `None`: there is none at the path.
pub(super) struct Difference {
    key: Arc<str>,
    imported: Option<Cid>,
    before: Option<Cid>,
}

/// The two parts of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Records at paths where there are none.
    Created,
    /// Records that are changed or deleted.
    Replaced,
}

impl Content {
    /// Reads the repository of `did` in a CAR file. Every node is read once and every record up to three times, in order. Blocks until all is read.
    ///
    /// # Errors
    /// [`Invalid`] if the file is not the repository of `did` or exceeds one of `limits`, [`Error::Busy`] if other imports have the memory.
    pub(super) fn read(file: File, did: &Did, limits: Import, mut memory: MemoryPart) -> Result<Self, Error> {
        let max_records = u64::from(limits.max_records);
        let (spool, root) = Spool::read(file, max_records, &mut memory)?;
        let signed = Signed { cid: root, bytes: spool.block(&root)?.ok_or(Invalid::Commit(root))? };
        let commit = commit::decode(&signed.bytes).map_err(|_| Invalid::Commit(root))?;
        if commit.did != *did {
            return Err(Invalid::Did { found: commit.did, expected: did.clone() }.into());
        }
        let mut within = |records: usize, bytes: usize| {
            if records as u64 > max_records {
                return Err(Invalid::TooMany { limit: max_records }.into());
            }
            Ok(memory.grow_to(spool.memory_bytes() + bytes)?)
        };
        let tree = Tree::read(&commit.data, |cid| spool.block(cid).map_err(Error::from), &mut within)?;
        let (mut report, mut body_bytes) = (Report::default(), 0);
        for (key, cid) in tree.records() {
            // One record is unpacked at a time; the memory of the heaviest stays taken for the passes that follow.
            let mut room = |bytes| within(0, tree.memory_bytes() + bytes);
            match Record::read(&spool, &key, cid, &mut room)? {
                Ok((record, fault)) => {
                    report.records += 1;
                    body_bytes += record.body.len() as u64;
                    if body_bytes > limits.max_bytes {
                        return Err(Invalid::Bodies { limit: limits.max_bytes }.into());
                    }
                    if let Some(fault) = fault {
                        report.kept.add(&key, cid, fault);
                    }
                }
                Err(reason) => report.left_out.add(&key, cid, reason),
            }
        }
        let tree = if report.left_out.count == 0 { tree } else { readable(&tree, &spool, &mut within)? };
        Ok(Self { tree, rev: commit.rev, commit: signed, report, body_bytes, spool, _memory: memory })
    }

    /// One part of the differences to the repository `before`.
    pub(super) fn differences(&self, before: &Tree, part: Part) -> Differences {
        Differences { imported: self.tree.records().peekable(), before: before.records().peekable(), part }
    }

    /// The paths at which the repository `before` has other records, and the number of these paths and of the references to blobs of the
    /// imported records there. Ends when the number is more than `most`.
    pub(super) fn replaced(&self, before: &Tree, most: usize) -> Result<(Vec<RepoPath>, usize), Error> {
        let (mut paths, mut count) = (Vec::new(), 0);
        for Difference { key, imported, .. } in self.differences(before, Part::Replaced) {
            count += 1;
            if let Some(cid) = imported {
                let record = Record::read(&self.spool, &key, cid, &mut |_| Ok(()))?;
                count += record.map_or(0, |(record, _)| record.blobs.len());
            }
            paths.push(path(&key)?);
            if count > most {
                break;
            }
        }
        Ok((paths, count))
    }

    /// The next portion of differences as writes; none at the end.
    pub(super) fn portion(
        &self,
        differences: &mut Differences,
        size: PortionSize,
    ) -> Result<Option<Vec<RecordWrite>>, Error> {
        let (mut writes, mut filled) = (Vec::new(), Filled::default());
        while !filled.has(size) {
            let Some(Difference { key, imported, before }) = differences.next() else { break };
            let write = match imported {
                None => {
                    filled.add(0, 0);
                    RecordWrite::Delete { path: path(&key)? }
                }
                Some(cid) => {
                    let record = Record::read(&self.spool, &key, cid, &mut |_| Ok(()))?;
                    let (record, _) = record.map_err(|reason| io::Error::other(format!("{key}: {reason}")))?;
                    filled.add(record.body.len(), record.blobs.len());
                    let Record { path, body, subject_hash, blobs } = record;
                    let put = Put { path, cid, body, subject_hash, blobs };
                    if before.is_some() { RecordWrite::Update(put) } else { RecordWrite::Create(put) }
                }
            };
            writes.push(write);
        }
        Ok(Some(writes).filter(|writes| !writes.is_empty()))
    }
}

/// The tree without the records that cannot be imported.
fn readable(
    tree: &Tree,
    spool: &Spool,
    within: &mut impl FnMut(usize, usize) -> Result<(), Error>,
) -> Result<Tree, Error> {
    let mut kept = Builder::default();
    for (key, cid) in tree.records() {
        if Record::read(spool, &key, cid, &mut |_| Ok(()))?.is_ok() {
            kept.push(key, cid);
            within(kept.len(), tree.memory_bytes() + kept.memory_bytes())?;
        }
    }
    Ok(Tree::built(kept))
}

impl Iterator for Differences {
    type Item = Difference;

    /// Both sides are in order, so one pass over them finds the differences.
    fn next(&mut self) -> Option<Difference> {
        loop {
            let order = match (self.imported.peek(), self.before.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((imported, _)), Some((before, _))) => imported.as_bytes().cmp(before.as_bytes()),
            };
            let imported = if order == Ordering::Greater { None } else { self.imported.next() };
            let before = if order == Ordering::Less { None } else { self.before.next() };
            let key = imported.as_ref().or(before.as_ref()).map(|(key, _)| key.clone())?;
            let (imported, before) = (imported.map(|(_, cid)| cid), before.map(|(_, cid)| cid));
            let part = if before.is_none() { Part::Created } else { Part::Replaced };
            if imported != before && part == self.part {
                return Some(Difference { key, imported, before });
            }
        }
    }
}

impl Record {
    /// A record of the tree with the rule of the data model that it breaks, or why it cannot be imported. `room` takes the memory in which the record
    /// is unpacked.
    fn read(
        spool: &Spool,
        key: &str,
        cid: Cid,
        room: &mut impl FnMut(usize) -> Result<(), Error>,
    ) -> Result<Result<(Self, Option<String>), String>, Error> {
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
        // One that is too heavy is not unpacked.
        let unpacked = record::Shape::of_cbor(&block).map_or(0, record::Shape::record_bytes);
        if unpacked <= record::MAX_UNPACKED {
            room(unpacked)?;
        }
        let subject_hash = subject_hash_of_block(path.collection(), &block);
        Ok(match record::from_foreign_bytes(block) {
            Ok((record, fault)) => {
                let blobs: BTreeSet<_> = record.blobs.iter().map(|blob| blob.cid).collect();
                if blobs.len() > MAX_BLOBS {
                    return Ok(Err(format!("it refers to {} blobs, at most {MAX_BLOBS} are allowed", blobs.len())));
                }
                let blobs = blobs.into_iter().collect();
                Ok((Self { path, body: record.bytes, subject_hash, blobs }, fault.map(|fault| fault.to_string())))
            }
            Err(reason) => Err(reason.to_string()),
        })
    }
}

/// The path of a key that [`Record::read`] has accepted before.
fn path(key: &str) -> Result<RepoPath, Error> {
    key.parse().map_err(|error| io::Error::other(format!("{key} is no path of a record: {error}")).into())
}
