//! A repository in memory. Applies all writes of a commit or none.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use bytes::Bytes;
use pds_crypto::SigningKey;
use pds_syntax::{Did, RepoPath, Tid};

use crate::{
    Cid, car, commit,
    mst::{self, Tree},
};

/// Maximum number of writes in one commit. Source: lexicon `com.atproto.repo.applyWrites`, Sync v1.1.
pub const MAX_WRITES: usize = 200;
/// Maximum size of the blocks of one commit event, in bytes. Source: lexicon `com.atproto.sync.subscribeRepos`, `blocks.maxLength`.
pub const MAX_EVENT_BYTES: usize = 2_000_000;

/// The newest commit of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub rev: Tid,
    /// CID of the commit block.
    pub commit: Cid,
    /// Root of the tree.
    pub data: Cid,
}

/// The kind of an operation on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Create,
    Update,
    Delete,
}

impl Action {
    /// The value in firehose events and in scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A requested change of one record.
#[derive(Clone, Debug)]
pub enum Write {
    /// Fails if the record exists.
    Create {
        path: RepoPath,
        /// CID of `bytes`.
        cid: Cid,
        bytes: Bytes,
    },
    /// Fails if the record does not exist.
    Update {
        path: RepoPath,
        /// CID of `bytes`.
        cid: Cid,
        bytes: Bytes,
    },
    /// Fails if the record does not exist.
    Delete { path: RepoPath },
}

impl Write {
    /// The record's path.
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::Create { path, .. } | Self::Update { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// The change of one record in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    pub action: Action,
    pub path: RepoPath,
    /// The record after the commit; `None` for a deletion.
    pub cid: Option<Cid>,
    /// The record before the commit; `None` for a creation.
    pub prev: Option<Cid>,
}

/// Why writes were refused. The repository is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the record {path} already exists")]
    RecordExists { path: RepoPath },
    #[error("the record {path} does not exist")]
    RecordMissing { path: RepoPath },
    #[error("{given} writes are too many for one commit: at most {MAX_WRITES} are allowed")]
    TooManyWrites { given: usize },
    #[error("the commit would have {bytes} bytes of blocks: at most {MAX_EVENT_BYTES} are allowed")]
    TooLarge { bytes: usize },
    /// The tree in memory is incomplete.
    #[error(transparent)]
    Tree(#[from] mst::Error),
}

/// A repository in memory. Clones share the tree.
#[derive(Clone, Debug)]
pub struct Repo {
    pub did: Did,
    pub head: Head,
    /// Maps the key of each record to its CID.
    pub tree: Tree,
}

/// The changes of a commit, to be stored and sent.
#[derive(Clone, Debug)]
pub struct CommitDiff {
    pub rev: Tid,
    /// The previous revision.
    pub since: Option<Tid>,
    /// CID of the commit block.
    pub commit: Cid,
    pub commit_bytes: Bytes,
    /// New root of the tree.
    pub data: Cid,
    /// Previous root of the tree.
    pub prev_data: Option<Cid>,
    /// One operation for each changed record, in the order of the first write to each. Writes that cancel each other out give no operation.
    pub ops: Vec<Op>,
    /// The commit block, new tree nodes, nodes that prove the operations, and new records.
    pub blocks: Vec<(Cid, Bytes)>,
}

impl CommitDiff {
    /// The blocks as a CAR file with the commit as its root.
    pub fn car(&self) -> Bytes {
        car::write(&self.commit, self.blocks.iter().map(|(cid, block)| (cid, block)))
    }

    /// The newest commit after this change.
    pub fn head(&self) -> Head {
        Head { rev: self.rev, commit: self.commit, data: self.data }
    }
}

impl Repo {
    /// Creates a repository with its first commit.
    pub fn create(did: Did, rev: Tid, writes: &[Write], key: &SigningKey) -> Result<(Self, CommitDiff), Error> {
        build(did, None, &Tree::empty(), writes, rev, key)
    }

    /// Returns the repository with `writes` applied, and the changes. `rev` must be above the revision of the head.
    pub fn apply(&self, writes: &[Write], rev: Tid, key: &SigningKey) -> Result<(Self, CommitDiff), Error> {
        build(self.did.clone(), Some(self.head), &self.tree, writes, rev, key)
    }
}

fn build(
    did: Did,
    head: Option<Head>,
    tree: &Tree,
    writes: &[Write],
    rev: Tid,
    key: &SigningKey,
) -> Result<(Repo, CommitDiff), Error> {
    if writes.len() > MAX_WRITES {
        return Err(Error::TooManyWrites { given: writes.len() });
    }
    // Computes all CIDs before anything changes. Otherwise every node of a tree that was just built would count as new.
    let before = tree.root();
    debug_assert!(
        head.is_none_or(|head| head.data == before && head.rev < rev),
        "the tree belongs to the head, and the revision is newer"
    );
    let mut tree = tree.clone();
    let ops = merge_ops(writes.iter().map(|write| change(&mut tree, write)))?;

    let mut nodes = tree.take_new();
    let mut present: HashSet<Cid> = nodes.iter().map(|(cid, _)| *cid).collect();
    for op in &ops {
        tree.prove(op.path.as_str(), op.action == Action::Create, &mut present, &mut nodes)?;
    }
    let data = tree.root();
    // A commit without changes still contains the root that it signs.
    if present.insert(data) {
        nodes.extend(tree.proof("", false)?.into_iter().take(1));
    }
    let signed = commit::sign(&did, rev, &data, key);
    let mut blocks = Vec::with_capacity(1 + nodes.len() + writes.len());
    blocks.push((signed.cid, signed.bytes.clone()));
    blocks.append(&mut nodes);
    let stays: HashSet<Cid> = ops.iter().filter_map(|op| op.cid).collect();
    for write in writes {
        if let Write::Create { cid, bytes, .. } | Write::Update { cid, bytes, .. } = write
            && stays.contains(cid)
            && present.insert(*cid)
        {
            blocks.push((*cid, bytes.clone()));
        }
    }
    let bytes = blocks.iter().map(|(_, block)| block.len() + Cid::LEN + 3).sum::<usize>() + 64;
    if bytes > MAX_EVENT_BYTES {
        return Err(Error::TooLarge { bytes });
    }
    let diff = CommitDiff {
        rev,
        since: head.map(|head| head.rev),
        commit: signed.cid,
        commit_bytes: signed.bytes,
        data,
        prev_data: head.map(|head| head.data),
        ops,
        blocks,
    };
    tree.compact_if_worth_it();
    Ok((Repo { did, head: diff.head(), tree }, diff))
}

/// Merges all writes to one record into one operation, with the record before the commit and the record after it.
fn merge_ops(ops: impl Iterator<Item = Result<Op, Error>>) -> Result<Vec<Op>, Error> {
    let (mut merged, mut places) = (Vec::<(Op, usize)>::new(), HashMap::<RepoPath, usize>::new());
    for op in ops {
        let op = op?;
        match places.entry(op.path.clone()) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push((op, 1));
            }
            Entry::Occupied(place) => {
                let (before, writes) = &mut merged[*place.get()];
                (before.cid, *writes) = (op.cid, *writes + 1);
            }
        }
    }
    let changes = |(op, writes): (Op, usize)| {
        let action = match (op.prev, op.cid) {
            (before, after) if writes > 1 && before == after => return None,
            (None, _) => Action::Create,
            (Some(_), Some(_)) => Action::Update,
            (Some(_), None) => Action::Delete,
        };
        Some(Op { action, ..op })
    };
    Ok(merged.into_iter().filter_map(changes).collect())
}

fn change(tree: &mut Tree, write: &Write) -> Result<Op, Error> {
    let path = write.path().clone();
    let key = || Arc::<str>::from(path.as_str());
    match write {
        Write::Create { cid, .. } => match tree.put(&key(), *cid)? {
            None => Ok(Op { action: Action::Create, cid: Some(*cid), prev: None, path }),
            Some(_) => Err(Error::RecordExists { path }),
        },
        Write::Update { cid, .. } => match tree.put(&key(), *cid)? {
            Some(prev) => Ok(Op { action: Action::Update, cid: Some(*cid), prev: Some(prev), path }),
            None => Err(Error::RecordMissing { path }),
        },
        Write::Delete { .. } => match tree.delete(path.as_str())? {
            Some(prev) => Ok(Op { action: Action::Delete, cid: None, prev: Some(prev), path }),
            None => Err(Error::RecordMissing { path }),
        },
    }
}
