//! Proof that a commit consists of exactly the operations that its event lists.

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
    #[error(transparent)]
    Car(#[from] car::Error),
    #[error("the CAR's root is not a commit block")]
    Commit(#[from] Invalid),
    /// A node of the tree is missing or wrong.
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("the operation on {path} contradicts the tree, which has the record {found:?} there")]
    Operation {
        path: String,
        /// The record in the tree.
        found: Option<Cid>,
    },
}

/// Reverts the operations of a commit on the partial tree in its blocks. Returns the root of the tree before the commit.
///
/// If the result equals `prevData`, the commit consists of exactly these operations. Source: Sync v1.1, inductive firehose.
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
