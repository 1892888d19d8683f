//! A node and its place in the tree.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::{
    Cid,
    mst::{Error, pack::Pack},
};

/// The level at which a key stands: pairs of leading zero bits of its SHA-256.
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

/// How many bytes a key has in common with the beginning of the one before it.
pub(crate) fn shared(before: &[u8], key: &[u8]) -> usize {
    key.iter().zip(before).take_while(|(a, b)| a == b).count()
}

/// Keys of one level with the subtrees between them. `children[i]` holds what sorts before `entries[i]`; the last one what sorts after all.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) level: u8,
    pub(crate) entries: Vec<Entry>,
    pub(crate) children: Vec<Child>,
    cid: OnceLock<Cid>,
}

/// A record's key and CID.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Arc<str>,
    pub(crate) value: Cid,
}

/// A subtree.
#[derive(Clone, Debug, Default)]
pub(crate) enum Child {
    #[default]
    Empty,
    Node(Arc<Node>),
    /// Nodes in their compact form.
    Packed(Arc<Pack>),
    /// A node of a partial tree of which only the CID is known.
    Stub(Box<Cid>),
}

impl Child {
    /// The node, `None` for an empty subtree. Packed nodes are unpacked.
    pub(crate) fn node(&self) -> Result<Option<Arc<Node>>, Error> {
        match self {
            Self::Stub(cid) => Err(Error::Missing(**cid)),
            child => Ok(child.here()),
        }
    }

    /// The node if there is one here.
    pub(crate) fn here(&self) -> Option<Arc<Node>> {
        match self {
            Self::Empty | Self::Stub(_) => None,
            Self::Node(node) => Some(node.clone()),
            Self::Packed(pack) => Some(pack.open()),
        }
    }

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
    /// `children` has one more item than `entries`.
    pub(crate) fn new(level: u8, entries: Vec<Entry>, children: Vec<Child>) -> Arc<Self> {
        debug_assert_eq!(entries.len() + 1, children.len());
        Arc::new(Self { level, entries, children, cid: OnceLock::new() })
    }

    /// As [`Node::new`], for a block whose CID is known.
    pub(crate) fn known(level: u8, entries: Vec<Entry>, children: Vec<Child>, cid: Cid) -> Arc<Self> {
        let node = Self { level, entries, children, cid: OnceLock::new() };
        node.cid.get_or_init(|| cid);
        Arc::new(node)
    }

    /// As [`Node::new`]; nothing for a node that holds nothing.
    pub(crate) fn unless_empty(level: u8, entries: Vec<Entry>, children: Vec<Child>) -> Option<Arc<Self>> {
        if entries.is_empty() && children[0].is_empty() { None } else { Some(Self::new(level, entries, children)) }
    }

    /// Where `key` stands (`Ok`) or would stand (`Err`) among the entries. Nodes are short: a scan beats a binary search.
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

    /// Computed once; asks the children for theirs.
    pub(crate) fn cid(&self) -> Cid {
        *self.cid.get_or_init(|| Cid::dag_cbor(&self.encode()))
    }

    /// Has the CID been asked for already? Then the whole subtree's has.
    pub(crate) fn is_hashed(&self) -> bool {
        self.cid.get().is_some()
    }

    /// Sets the CID of a node that was just encoded.
    pub(crate) fn hashed(&self, cid: Cid) -> Cid {
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
