//! A repository: applying writes to it, all or none.

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

/// Writes in one commit. Source: lexicon `com.atproto.repo.applyWrites`, Sync v1.1.
pub const MAX_WRITES: usize = 200;
/// Bytes of the blocks of one commit event. Source: lexicon `com.atproto.sync.subscribeRepos`, `blocks.maxLength`.
pub const MAX_EVENT_BYTES: usize = 2_000_000;

/// Where a repository stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest revision.
    pub rev: Tid,
    /// Its commit block.
    pub commit: Cid,
    /// The tree's root.
    pub data: Cid,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// There was none.
    Create,
    /// There was another.
    Update,
    /// There is none any more.
    Delete,
}

impl Action {
    /// As the firehose says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A wanted change of one record.
#[derive(Clone, Debug)]
pub enum Write {
    /// Fails if the record exists.
    Create {
        /// Where.
        path: RepoPath,
        /// Of `bytes`.
        cid: Cid,
        /// DAG-CBOR.
        bytes: Bytes,
    },
    /// Fails if it does not exist.
    Update {
        /// Where.
        path: RepoPath,
        /// Of `bytes`.
        cid: Cid,
        /// DAG-CBOR.
        bytes: Bytes,
    },
    /// Fails if it does not exist.
    Delete {
        /// Where.
        path: RepoPath,
    },
}

impl Write {
    /// The record's path.
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::Create { path, .. } | Self::Update { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// What a commit did to one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub action: Action,
    /// Where.
    pub path: RepoPath,
    /// The record now; `None` for a deletion.
    pub cid: Option<Cid>,
    /// The record before; `None` for a creation.
    pub prev: Option<Cid>,
}

/// Why writes were not applied. The repository is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A creation of what is there.
    #[error("there is a record at {path} already")]
    RecordExists {
        /// Where.
        path: RepoPath,
    },
    /// An update or deletion of what is not there.
    #[error("there is no record at {path}")]
    RecordMissing {
        /// Where.
        path: RepoPath,
    },
    /// More than [`MAX_WRITES`].
    #[error("{given} writes are too many for one commit: at most {MAX_WRITES}")]
    TooManyWrites {
        /// How many.
        given: usize,
    },
    /// More than [`MAX_EVENT_BYTES`].
    #[error("the commit would have {bytes} bytes of blocks: at most {MAX_EVENT_BYTES}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The tree in memory is not whole.
    #[error(transparent)]
    Tree(#[from] mst::Error),
}

/// A repository in memory: whose, where it stands, its tree. A clone shares the tree.
#[derive(Clone, Debug)]
pub struct Repo {
    /// Whose.
    pub did: Did,
    /// Where it stands.
    pub head: Head,
    /// Key to record CID.
    pub tree: Tree,
}

/// Everything that a commit changes, ready to be stored and sent.
#[derive(Clone, Debug)]
pub struct CommitDiff {
    /// The new revision.
    pub rev: Tid,
    /// The one before.
    pub since: Option<Tid>,
    /// The commit block's CID.
    pub commit: Cid,
    /// The commit block.
    pub commit_bytes: Bytes,
    /// The tree's root.
    pub data: Cid,
    /// The root before.
    pub prev_data: Option<Cid>,
    /// What was done, one operation per record, in the order in which the writes came to the records. Writes that undo each other are none.
    pub ops: Vec<Op>,
    /// The commit, new and proving nodes, new records.
    pub blocks: Vec<(Cid, Bytes)>,
}

impl CommitDiff {
    /// The blocks as a CAR file, the commit as root.
    pub fn car(&self) -> Bytes {
        car::write(&self.commit, self.blocks.iter().map(|(cid, block)| (cid, block)))
    }

    /// Where the repository stands now.
    pub fn head(&self) -> Head {
        Head { rev: self.rev, commit: self.commit, data: self.data }
    }
}

impl Repo {
    /// A new repository with its first commit.
    pub fn create(did: Did, rev: Tid, writes: &[Write], key: &SigningKey) -> Result<(Self, CommitDiff), Error> {
        build(did, None, &Tree::empty(), writes, rev, key)
    }

    /// The repository with `writes` applied, and what that changed. `rev` must be above the head's.
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
    // Asked for before anything changes: a tree that was just built would otherwise count every node as new.
    let before = tree.root();
    debug_assert!(head.is_none_or(|head| head.data == before && head.rev < rev), "the tree and the rev fit the head");
    let mut tree = tree.clone();
    let ops = net(writes.iter().map(|write| change(&mut tree, write)))?;

    let mut nodes = tree.take_new();
    let mut present: HashSet<Cid> = nodes.iter().map(|(cid, _)| *cid).collect();
    for op in &ops {
        tree.prove(op.path.as_str(), op.action == Action::Create, &mut present, &mut nodes)?;
    }
    let data = tree.root();
    // A commit that changes nothing still shows what it signs.
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

/// What several writes to one record come to: the stream has one operation per record, which says what was there before the commit and what
/// is there after it.
fn net(ops: impl Iterator<Item = Result<Op, Error>>) -> Result<Vec<Op>, Error> {
    let (mut net, mut places) = (Vec::<(Op, usize)>::new(), HashMap::<RepoPath, usize>::new());
    for op in ops {
        let op = op?;
        match places.entry(op.path.clone()) {
            Entry::Vacant(place) => {
                place.insert(net.len());
                net.push((op, 1));
            }
            Entry::Occupied(place) => {
                let (before, writes) = &mut net[*place.get()];
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
    Ok(net.into_iter().filter_map(changes).collect())
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
