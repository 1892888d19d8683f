//! The Merkle search tree of a repository. Source: <https://atproto.com/specs/repository#mst-structure>.
//!
//! Trees share their nodes: a change copies the nodes on the path to a key and nothing else, so a clone is cheap and an abandoned
//! change is simply dropped. A node knows its CID once it has been asked for it; nodes without one are the ones that a commit adds. What lies
//! low in a tree and is not being changed is kept packed.
//! Keys are `collection/rkey`, compared bytewise.

mod build;
mod change;
mod codec;
mod node;
mod pack;
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
    /// A partial tree lacks the node.
    #[error("tree node {0} is missing")]
    Missing(crate::Cid),
    /// A block that is no canonical node, or a node that stands at the wrong place.
    #[error("tree node {0} is not valid")]
    Invalid(crate::Cid),
}
