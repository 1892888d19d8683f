//! Packs subtrees into a compact form that takes a third of the memory.
//!
//! A pack contains a subtree with a few dozen records, in key order. Each key omits the prefix that it shares with the previous key. Each node
//! keeps its CID, so unpacking hashes nothing. All packs are at one level. Nodes above that level are never packed. A change unpacks the packs
//! on its path; [`compact`] packs them again.

use std::sync::Arc;

use unsigned_varint::{decode, encode};

use crate::{
    Cid,
    cid::Codec,
    mst::{
        Error,
        node::{Child, Entry, Node, shared},
        pack::Pack,
    },
};

/// The level of the root of each pack. Its subtree has 4^3 records on average.
pub(crate) const LEVEL: u8 = 2;
/// Average number of records in a pack, and thus the number of records that a change unpacks.
pub(crate) const RECORDS: usize = 64;

/// Maximum size of a pack in bytes. Larger subtrees are not packed: a client that chooses keys by their level can make a subtree of any size.
const MAX_BYTES: usize = 64 << 10;

/// Packs a subtree. `None` if it is incomplete, has CIDs of another form than the protocol's, or is above [`MAX_BYTES`].
///
/// Format of a node: number of entries, digest, then alternately a subtree and an entry. Above level 0, one byte before each subtree says
/// whether it exists. Format of an entry: number of bytes shared with the previous key, doubled, plus 1 if the CID is of raw bytes; length
/// and bytes of the rest of the key; digest.
pub(crate) fn pack(node: &Node) -> Option<Pack> {
    let (mut bytes, mut before) = (Vec::with_capacity(RECORDS * 64), Vec::new());
    write(node, &mut bytes, &mut before)?;
    Some(Pack::new(node.cid(), bytes))
}

/// The topmost node of a pack with all nodes below it.
fn unpack(pack: &Pack) -> Arc<Node> {
    let mut reader = Reader { rest: pack.bytes(), key: Vec::with_capacity(64) };
    reader.node(LEVEL)
}

impl Child {
    /// The node, or `None` for an empty subtree. Packed nodes are unpacked, which hashes nothing.
    ///
    /// # Errors
    /// [`Error::Missing`] if only the CID of the node is known.
    pub(crate) fn node(&self) -> Result<Option<Arc<Node>>, Error> {
        match self {
            Self::Stub(cid) => Err(Error::Missing(**cid)),
            child => Ok(child.node_if_known()),
        }
    }

    /// As [`Child::node`], but `None` if only the CID of the node is known.
    pub(crate) fn node_if_known(&self) -> Option<Arc<Node>> {
        match self {
            Self::Empty | Self::Stub(_) => None,
            Self::Node(node) => Some(node.clone()),
            Self::Packed(pack) => Some(unpack(pack)),
        }
    }
}

fn write(node: &Node, out: &mut Vec<u8>, before: &mut Vec<u8>) -> Option<()> {
    let cid = node.cid();
    if cid.codec() != Codec::DagCbor {
        return None;
    }
    number(out, node.entries.len());
    out.extend_from_slice(cid.digest());
    for (at, child) in node.children.iter().enumerate() {
        if out.len() > MAX_BYTES {
            return None;
        }
        if let Some(entry) = at.checked_sub(1).map(|at| &node.entries[at]) {
            let key = entry.key.as_bytes();
            let shared = shared(before, key);
            number(out, shared << 1 | usize::from(entry.value.codec() == Codec::Raw));
            number(out, key.len() - shared);
            out.extend_from_slice(&key[shared..]);
            out.extend_from_slice(entry.value.digest());
            before.truncate(shared);
            before.extend_from_slice(&key[shared..]);
        }
        match child {
            Child::Empty if node.level == 0 => {}
            Child::Empty => out.push(0),
            Child::Node(below) => {
                out.push(1);
                write(below, out, before)?;
            }
            Child::Packed(_) | Child::Stub(_) => return None,
        }
    }
    Some(())
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(encode::usize(number, &mut encode::usize_buffer()));
}

/// Reads the output of [`write`]. The input is trusted.
struct Reader<'a> {
    rest: &'a [u8],
    /// The previous key.
    key: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn node(&mut self, level: u8) -> Arc<Node> {
        let count = self.number();
        let cid = Cid::from_digest(Codec::DagCbor, self.digest());
        let (mut entries, mut children) = (Vec::with_capacity(count), Vec::with_capacity(count + 1));
        loop {
            let below = level > 0 && self.take(1) == [1];
            children.push(if below { Child::Node(self.node(level - 1)) } else { Child::Empty });
            if entries.len() == count {
                return Node::known(level, entries, children, cid);
            }
            entries.push(self.entry());
        }
    }

    fn entry(&mut self) -> Entry {
        let shared = self.number();
        let codec = if shared & 1 == 1 { Codec::Raw } else { Codec::DagCbor };
        let len = self.number();
        let suffix = self.take(len);
        self.key.truncate(shared >> 1);
        self.key.extend_from_slice(suffix);
        // Never lossy: keys are split between bytes, but each whole key is valid UTF-8.
        let key = String::from_utf8_lossy(&self.key).into();
        Entry { key, value: Cid::from_digest(codec, self.digest()) }
    }

    fn number(&mut self) -> usize {
        let (number, rest) = decode::usize(self.rest).expect("the bytes were written by `write`");
        self.rest = rest;
        number
    }

    fn digest(&mut self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.take(32));
        digest
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }
}

/// The tree with all subtrees of [`LEVEL`] packed. `None` if there is nothing to pack. The CIDs of all nodes must be known.
pub(crate) fn compact(node: &Node) -> Option<Arc<Node>> {
    if node.level <= LEVEL {
        return None;
    }
    let mut children: Option<Vec<Child>> = None;
    for (at, child) in node.children.iter().enumerate() {
        let Child::Node(below) = child else { continue };
        let small = if below.level == LEVEL {
            pack(below).map(|pack| Child::Packed(Arc::new(pack)))
        } else {
            compact(below).map(Child::Node)
        };
        if let Some(small) = small {
            children.get_or_insert_with(|| node.children.clone())[at] = small;
        }
    }
    Some(Node::known(node.level, node.entries.clone(), children?, node.cid()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mst::{Builder, Tree, node::height};

    fn records(n: usize) -> Vec<(Arc<str>, Cid)> {
        let collection = |n: usize| ["app.bsky.feed.like", "app.bsky.feed.post", "com.exämple.x"][n * 3 / 20_001];
        let cid =
            |n: usize| if n.is_multiple_of(5) { Cid::raw(&n.to_le_bytes()) } else { Cid::dag_cbor(&n.to_le_bytes()) };
        (0..n).map(|n| (Arc::from(format!("{}/{n:013}{}", collection(n), "~".repeat(n % 300))), cid(n))).collect()
    }

    /// The same tree without packs.
    fn unpacked(records: &[(Arc<str>, Cid)]) -> Tree {
        let mut tree = Tree::empty();
        for (key, value) in records {
            tree.put(key, *value).unwrap();
        }
        tree
    }

    #[test]
    fn a_packed_tree_is_the_same_tree() {
        let records = records(20_000);
        let (packed, unpacked) = (Tree::from_sorted(records.clone()), unpacked(&records));
        assert_eq!((packed.root(), packed.len()), (unpacked.root(), unpacked.len()));
        assert!(packed.preorder().eq(unpacked.preorder()));
        assert!(packed.records().eq(unpacked.records()));
        for (key, value) in records.iter().step_by(37) {
            assert_eq!(packed.get(key), Ok(Some(*value)));
            assert_eq!(packed.proof(key, true), unpacked.proof(key, true));
            assert_eq!(packed.get(&format!("{key}-")), Ok(None));
        }
    }

    #[test]
    fn a_change_in_a_packed_tree_makes_the_same_new_nodes() {
        let records = records(20_000);
        let (mut packed, mut unpacked) = (Tree::from_sorted(records.clone()), unpacked(&records));
        assert_eq!(packed.root(), unpacked.root());
        let new = |n: usize| Arc::<str>::from(format!("app.bsky.feed.post/{n:013}-new"));
        for (n, (key, _)) in records.iter().enumerate().step_by(61) {
            for tree in [&mut packed, &mut unpacked] {
                tree.put(&new(n), Cid::raw(b"new")).unwrap();
                tree.delete(key).unwrap();
            }
            assert_eq!(packed.take_new(), unpacked.take_new());
            if n.is_multiple_of(7) {
                packed.compact();
            }
        }
        assert_eq!(packed.root(), unpacked.root());
        // Keys of a high level split and join the subtrees below them.
        let high = (0..).map(|n| Arc::<str>::from(format!("app.bsky.feed.post/{n}"))).filter(|key| height(key) > 5);
        for key in high.take(20) {
            for tree in [&mut packed, &mut unpacked] {
                tree.put(&key, Cid::raw(b"high")).unwrap();
            }
            assert_eq!(packed.take_new(), unpacked.take_new());
            packed.compact();
            for tree in [&mut packed, &mut unpacked] {
                tree.delete(&key).unwrap();
            }
            assert_eq!(packed.take_new(), unpacked.take_new());
        }
        assert!(packed.preorder().eq(unpacked.preorder()));
    }

    #[test]
    fn a_subtree_above_the_limit_is_not_packed() {
        let low = |n: usize| {
            let keys = (0..).map(|n| Arc::<str>::from(format!("com.example.record/{n:07}")));
            let low = keys.filter(|key| height(key) <= LEVEL).take(n).map(|key| (key, Cid::raw(b"")));
            let mut builder = Builder::default();
            builder.extend(low);
            let (Some(node), ..) = builder.finish() else { panic!("a tree") };
            assert_eq!(node.level, LEVEL);
            node
        };
        let (usual, large) = (low(100), low(3_000));
        assert_eq!(pack(&usual).map(|pack| unpack(&pack).encode()), Some(usual.encode()));
        assert!(pack(&large).is_none());
        assert!(compact(&Node::new(LEVEL + 1, Vec::new(), vec![Child::Node(large)])).is_none());
    }

    #[test]
    fn an_incomplete_subtree_is_not_packed() {
        let stub = Child::Stub(Box::new(Cid::dag_cbor(b"")));
        let below = Node::new(LEVEL, Vec::new(), vec![stub]);
        assert!(pack(&below).is_none());
        assert!(compact(&Node::new(LEVEL + 1, Vec::new(), vec![Child::Node(below)])).is_none());
    }
}
