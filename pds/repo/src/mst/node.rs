//! Nodes of the tree and their subtrees.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::{Cid, mst::pack::Pack};

/// The level of a key in the tree: the number of pairs of leading zero bits of its SHA-256.
pub fn height(key: &str) -> u8 {
    let mut zeros = 0;
    for byte in Sha256::digest(key.as_bytes()) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    (zeros / 2) as u8
}

/// The length of the common prefix of two keys in bytes.
pub(crate) fn shared(before: &[u8], key: &[u8]) -> usize {
    key.iter().zip(before).take_while(|(a, b)| a == b).count()
}

/// Entries of one level with the subtrees between them. The keys of `children[i]` sort before `entries[i]`; those of the last child sort after
/// all entries.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) level: u8,
    pub(crate) entries: Vec<Entry>,
    pub(crate) children: Vec<Child>,
    cid: OnceLock<Cid>,
}

/// Key and CID of a record.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) value: Cid,
}

/// Memory of a node without its entries and subtrees, in bytes, with what the allocator adds.
pub(crate) const NODE_BYTES: usize = size_of::<Node>() + 32;

/// Memory of an entry that is not packed, in bytes: with its key, the place of a subtree, and the part of both lists that is not in use.
pub(crate) fn entry_bytes(key: &str) -> usize {
    (size_of::<Entry>() + size_of::<Child>()) * 3 / 2 + key.len() + 32
}

/// A subtree of a node.
#[derive(Clone, Debug, Default)]
pub(crate) enum Child {
    #[default]
    Empty,
    Node(Arc<Node>),
    /// A subtree in compact form.
    Packed(Arc<Pack>),
    /// A node that is not in memory. Only partial trees have such nodes.
    Stub(Box<Cid>),
}

impl Child {
    pub(crate) fn cid(&self) -> Option<Cid> {
        match self {
            Self::Empty => None,
            Self::Node(node) => Some(node.cid()),
            Self::Packed(pack) => Some(pack.cid()),
            Self::Stub(cid) => Some(**cid),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl From<Option<Arc<Node>>> for Child {
    fn from(node: Option<Arc<Node>>) -> Self {
        node.map_or(Self::Empty, Self::Node)
    }
}

impl Node {
    /// `children` must have one more item than `entries`.
    pub(crate) fn new(level: u8, entries: Vec<Entry>, children: Vec<Child>) -> Arc<Self> {
        debug_assert_eq!(entries.len() + 1, children.len());
        Arc::new(Self { level, entries, children, cid: OnceLock::new() })
    }

    /// As [`Node::new`], for a node whose CID is known.
    pub(crate) fn known(level: u8, entries: Vec<Entry>, children: Vec<Child>, cid: Cid) -> Arc<Self> {
        let node = Self { level, entries, children, cid: OnceLock::new() };
        node.cid.get_or_init(|| cid);
        Arc::new(node)
    }

    /// As [`Node::new`]. `None` if the node would have neither entries nor a subtree.
    pub(crate) fn unless_empty(level: u8, entries: Vec<Entry>, children: Vec<Child>) -> Option<Arc<Self>> {
        if entries.is_empty() && children[0].is_empty() { None } else { Some(Self::new(level, entries, children)) }
    }

    /// The index of `key` among the entries (`Ok`), or the index at which it would be inserted (`Err`). Scans, because nodes are short.
    pub(crate) fn find(&self, key: &str) -> Result<usize, usize> {
        for (at, entry) in self.entries.iter().enumerate() {
            match entry.key.as_bytes().cmp(key.as_bytes()) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(at),
                std::cmp::Ordering::Greater => return Err(at),
            }
        }
        Err(self.entries.len())
    }

    /// The CID. Computed on first use, together with the CIDs of all nodes below.
    pub(crate) fn cid(&self) -> Cid {
        *self.cid.get_or_init(|| Cid::dag_cbor(&self.encode()))
    }

    /// Memory of the node without the nodes below, in bytes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry_bytes(&entry.key)).sum::<usize>() + NODE_BYTES
    }

    /// Whether the CID is known. Then the CIDs of all nodes below are known too.
    pub(crate) fn is_hashed(&self) -> bool {
        self.cid.get().is_some()
    }

    /// Sets the CID, if it is not known yet, and returns it.
    pub(crate) fn set_cid(&self, cid: Cid) -> Cid {
        *self.cid.get_or_init(|| cid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's examples.
    #[test]
    fn heights() {
        for (key, wanted) in [
            ("2653ae71", 0),
            ("blue", 1),
            ("app.bsky.feed.post/454397e440ec", 4),
            ("app.bsky.feed.post/9adeb165882c", 8),
        ] {
            assert_eq!(height(key), wanted, "{key}");
        }
    }
}
