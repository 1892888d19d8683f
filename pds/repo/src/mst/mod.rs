//! The Merkle search tree of a repository. Source: <https://atproto.com/specs/repository#mst-structure>.
//!
//! Trees share their nodes. A change copies only the nodes on the path to a key, so clones are cheap, and dropping a tree undoes its changes.
//! A node computes its CID on first use. Nodes without a CID are the new nodes of a commit. Subtrees at the bottom are packed while nothing
//! changes them. Keys are `collection/rkey`, compared bytewise.

mod build;
mod change;
mod codec;
mod node;
mod pack;
mod packing;
mod read;
mod tree;
mod walk;

pub use build::Builder;
pub use node::height;
pub use tree::Tree;
pub use walk::{Item, Preorder, Records};

/// Why a tree could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The tree is partial and does not contain the node.
    #[error("tree node {0} is missing")]
    Missing(crate::Cid),
    /// The block is not a canonical node, or the node is at a wrong place in the tree.
    #[error("tree node {0} is not valid")]
    Invalid(crate::Cid),
}
