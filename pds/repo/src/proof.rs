//! Proofs: that a record is, or is not, in a signed repository; and that a commit does what it says, by undoing it.

use std::collections::HashMap;

use bytes::Bytes;

use crate::{
    Action, Cid, Op, car,
    cbor::Invalid,
    commit,
    mst::{Error as TreeError, Tree},
};

/// Why a commit event does not prove its operations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The CAR file is damaged.
    #[error(transparent)]
    Car(#[from] car::Error),
    /// Its root is no commit.
    #[error("the CAR's root is not a commit block")]
    Commit(#[from] Invalid),
    /// A needed node is absent or wrong.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An operation does not fit the tree.
    #[error("operation on {path} does not fit the tree: it holds {found:?}")]
    Operation {
        /// The operation's path.
        path: String,
        /// What the tree has there.
        found: Option<Cid>,
    },
}

/// Undoes the operations of a commit on the partial tree that its blocks hold; answers the root that the tree had before.
/// Equal to `prevData`, the commit does exactly what its operations say. Source: Sync v1.1, inductive firehose.
pub fn invert(blocks: &[u8], ops: &[Op]) -> Result<Cid, Error> {
    let reader = car::Reader::new(blocks)?;
    let root = reader.root;
    let blocks = reader
        .map(|block| block.map(|(cid, bytes)| (cid, Bytes::copy_from_slice(bytes))))
        .collect::<Result<HashMap<_, _>, _>>()?;
    let head = blocks.get(&root).ok_or(TreeError::Missing(root))?;
    let mut tree = Tree::partial(&commit::decode(head)?.data, &blocks)?;
    for op in ops.iter().rev() {
        let found = match (op.action, op.prev) {
            (Action::Create, _) => tree.delete(op.path.as_str())?,
            (Action::Update | Action::Delete, Some(prev)) => tree.put(&op.path.as_str().into(), prev)?,
            (Action::Update | Action::Delete, None) => None,
        };
        if found != op.cid || (op.action != Action::Create && op.prev.is_none()) {
            return Err(Error::Operation { path: op.path.to_string(), found });
        }
    }
    Ok(tree.root())
}
