//! The net effect of a batch on each repository.
//!
//! Commits of one repository that build on each other become one compare-and-swap from the first's base to the last's
//! head, and one change per path. Only the heads and records that remain are written.

use std::collections::{BTreeMap, BTreeSet};

use pds_syntax::{RepoPath, Tid};

use super::{NewCommit, Put, RecordWrite};
use crate::AccountId;

/// What a batch does to one repository.
#[derive(Debug)]
pub(crate) struct Net<'a> {
    /// Revision before the batch.
    pub(crate) expect_rev: Tid,
    /// The last commit.
    pub(crate) last: &'a NewCommit,
    /// The changes, one per path, in path order.
    pub(crate) writes: Vec<PathChange<'a>>,
}

/// What a batch does to one path.
#[derive(Debug)]
pub(crate) struct PathChange<'a> {
    pub(crate) path: &'a RepoPath,
    /// The revision that wrote it last.
    pub(crate) rev: Tid,
    pub(crate) change: NetChange<'a>,
}

/// What happens to the record at a path.
#[derive(Debug)]
pub(crate) enum NetChange<'a> {
    Create(&'a Put),
    Update(&'a Put),
    Delete,
}

impl<'a> Net<'a> {
    pub(crate) fn account_id(&self) -> AccountId {
        self.last.account_id
    }

    /// By how much the number of records changes.
    pub(crate) fn added(&self) -> i64 {
        let of = |change: &NetChange<'_>| match change {
            NetChange::Create(_) => 1,
            NetChange::Update(_) => 0,
            NetChange::Delete => -1,
        };
        self.writes.iter().map(|write| of(&write.change)).sum()
    }

    /// Bytes of the records to be stored.
    pub(crate) fn put_bytes(&self) -> i64 {
        self.puts().map(|(_, put)| i64::try_from(put.body.len()).unwrap_or(i64::MAX)).fold(0, i64::saturating_add)
    }

    /// Maximum size of all records and blobs of the account, in bytes, for a batch that makes its records larger.
    pub(crate) fn quota(&self) -> Option<i64> {
        self.last.quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// The records to be stored.
    pub(crate) fn puts(&self) -> impl Iterator<Item = (&PathChange<'a>, &'a Put)> {
        self.writes.iter().filter_map(|write| match write.change {
            NetChange::Create(put) | NetChange::Update(put) => Some((write, put)),
            NetChange::Delete => None,
        })
    }

    /// The paths whose records are deleted or replaced, and so may have had references to blobs.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = &'a RepoPath> {
        self.writes.iter().filter(|write| !matches!(write.change, NetChange::Create(_))).map(|write| write.path)
    }

    /// The paths whose records are deleted.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &'a RepoPath> {
        self.writes.iter().filter(|write| matches!(write.change, NetChange::Delete)).map(|write| write.path)
    }
}

/// Whether a path had a record before the batch, and what was written to it last.
struct Path<'a> {
    existed: bool,
    rev: Tid,
    last: Option<&'a Put>,
}

struct Chain<'a> {
    expect_rev: Tid,
    last: &'a NewCommit,
    paths: BTreeMap<&'a RepoPath, Path<'a>>,
}

/// Folds a batch by repository, in ascending order of account (the order in which rows are locked), and names the
/// repositories whose commits do not build on each other.
pub(crate) fn fold(batch: &[NewCommit]) -> (Vec<Net<'_>>, Vec<AccountId>) {
    let mut chains: BTreeMap<AccountId, Chain<'_>> = BTreeMap::new();
    let mut broken = BTreeSet::new();
    for commit in batch {
        let chain = chains.entry(commit.account_id).or_insert_with(|| Chain {
            expect_rev: commit.expect_rev,
            last: commit,
            paths: BTreeMap::new(),
        });
        if !std::ptr::eq(chain.last, commit) && chain.last.rev != commit.expect_rev {
            broken.insert(commit.account_id);
        }
        chain.last = commit;
        for write in &commit.writes {
            let (path, existed, last) = match write {
                RecordWrite::Create(put) => (&put.path, false, Some(put)),
                RecordWrite::Update(put) => (&put.path, true, Some(put)),
                RecordWrite::Delete { path } => (path, true, None),
            };
            let entry = chain.paths.entry(path).or_insert(Path { existed, rev: commit.rev, last });
            entry.rev = commit.rev;
            entry.last = last;
        }
    }
    (chains.into_values().map(Net::from).collect(), broken.into_iter().collect())
}

impl<'a> From<Chain<'a>> for Net<'a> {
    fn from(chain: Chain<'a>) -> Self {
        let writes = chain.paths.into_iter().filter_map(|(path, Path { existed, rev, last })| {
            let change = match (existed, last) {
                (false, Some(put)) => NetChange::Create(put),
                (true, Some(put)) => NetChange::Update(put),
                (true, None) => NetChange::Delete,
                (false, None) => return None,
            };
            Some(PathChange { path, rev, change })
        });
        Self { expect_rev: chain.expect_rev, last: chain.last, writes: writes.collect() }
    }
}
