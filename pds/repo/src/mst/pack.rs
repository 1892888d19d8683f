//! Subtrees in a compact form: what nobody changes takes a third of the memory.
//!
//! A pack holds a few dozen records with their nodes, in key order, the keys shortened by what they share with the one before. Each node
//! keeps its CID, so that opening a pack hashes nothing. Packs stand at one level; what is above stays as nodes, and a change opens the pack
//! it goes through. [`compact`] packs again what has been opened or is new.

use std::sync::Arc;

use unsigned_varint::{decode, encode};

use crate::{
    Cid,
    cid::Codec,
    mst::node::{Child, Entry, Node, shared},
};

/// Where packs stand: a subtree of this level has 4^3 records on average.
pub(crate) const LEVEL: u8 = 2;
/// Records of a pack, about: so many become loose with a change.
pub(crate) const RECORDS: usize = 64;

/// A subtree of more bytes is not packed: whoever chooses keys with their heights in mind can make one as large as they like.
const MAX_BYTES: usize = 64 << 10;

/// A whole subtree of level [`LEVEL`].
#[derive(Debug)]
pub(crate) struct Pack {
    cid: Cid,
    /// The topmost node: number of entries, digest, then by turns a subtree and an entry. Above level 0 a byte says whether there is a
    /// subtree. An entry: bytes shared with the key before, doubled, plus 1 for a CID of raw bytes; length and bytes of the rest; digest.
    bytes: Box<[u8]>,
}

impl Pack {
    /// `None` if the subtree is not whole, not one that the protocol knows, or too large.
    fn of(node: &Node) -> Option<Self> {
        let (mut bytes, mut before) = (Vec::with_capacity(RECORDS * 64), Vec::new());
        write(node, &mut bytes, &mut before)?;
        Some(Self { cid: node.cid(), bytes: bytes.into() })
    }

    pub(crate) fn cid(&self) -> Cid {
        self.cid
    }

    /// The subtree's topmost node, with all below it.
    pub(crate) fn open(&self) -> Arc<Node> {
        let mut reader = Reader { rest: &self.bytes, key: Vec::with_capacity(64) };
        reader.node(LEVEL)
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

/// Reads what [`write`] wrote: nothing else gets here.
struct Reader<'a> {
    rest: &'a [u8],
    /// The last key.
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
        // A key is cut between any two bytes, but it was text as a whole.
        let key = String::from_utf8_lossy(&self.key).into();
        Entry { key, value: Cid::from_digest(codec, self.digest()) }
    }

    fn number(&mut self) -> usize {
        let (number, rest) = decode::usize(self.rest).expect("a number where one was written");
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

/// A node of [`LEVEL`] with what is below it, packed unless [`Pack::of`] refuses.
pub(crate) fn packed(node: &Node) -> Option<Child> {
    Pack::of(node).map(|pack| Child::Packed(Arc::new(pack)))
}

/// The tree with every subtree of [`LEVEL`] packed; `None` if there is nothing to pack. The nodes must be hashed.
pub(crate) fn compact(node: &Node) -> Option<Arc<Node>> {
    if node.level <= LEVEL {
        return None;
    }
    let mut children: Option<Vec<Child>> = None;
    for (at, child) in node.children.iter().enumerate() {
        let Child::Node(below) = child else { continue };
        let small = if below.level == LEVEL { packed(below) } else { compact(below).map(Child::Node) };
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
    fn loose(records: &[(Arc<str>, Cid)]) -> Tree {
        let mut tree = Tree::empty();
        for (key, value) in records {
            tree.put(key, *value).unwrap();
        }
        tree
    }

    #[test]
    fn a_packed_tree_is_the_same_tree() {
        let records = records(20_000);
        let (packed, loose) = (Tree::from_sorted(records.clone()), loose(&records));
        assert_eq!((packed.root(), packed.len()), (loose.root(), loose.len()));
        assert!(packed.preorder().eq(loose.preorder()));
        assert!(packed.records().eq(loose.records()));
        for (key, value) in records.iter().step_by(37) {
            assert_eq!(packed.get(key), Ok(Some(*value)));
            assert_eq!(packed.proof(key, true), loose.proof(key, true));
            assert_eq!(packed.get(&format!("{key}-")), Ok(None));
        }
    }

    #[test]
    fn a_change_is_the_same_through_packs_and_brings_the_same_nodes() {
        let records = records(20_000);
        let (mut packed, mut loose) = (Tree::from_sorted(records.clone()), loose(&records));
        assert_eq!(packed.root(), loose.root());
        let new = |n: usize| Arc::<str>::from(format!("app.bsky.feed.post/{n:013}-new"));
        for (n, (key, _)) in records.iter().enumerate().step_by(61) {
            for tree in [&mut packed, &mut loose] {
                tree.put(&new(n), Cid::raw(b"new")).unwrap();
                tree.delete(key).unwrap();
            }
            assert_eq!(packed.take_new(), loose.take_new());
            if n.is_multiple_of(7) {
                packed.compact();
            }
        }
        assert_eq!(packed.root(), loose.root());
        // Keys high above the others split and join what is below them.
        let high = (0..).map(|n| Arc::<str>::from(format!("app.bsky.feed.post/{n}"))).filter(|key| height(key) > 5);
        for key in high.take(20) {
            for tree in [&mut packed, &mut loose] {
                tree.put(&key, Cid::raw(b"high")).unwrap();
            }
            assert_eq!(packed.take_new(), loose.take_new());
            packed.compact();
            for tree in [&mut packed, &mut loose] {
                tree.delete(&key).unwrap();
            }
            assert_eq!(packed.take_new(), loose.take_new());
        }
        assert!(packed.preorder().eq(loose.preorder()));
    }

    #[test]
    fn a_subtree_that_somebody_made_large_stays_as_it_is() {
        let low = |n: usize| {
            let keys = (0..).map(|n| Arc::<str>::from(format!("com.example.record/{n:07}")));
            let low = keys.filter(|key| height(key) <= LEVEL).take(n).map(|key| (key, Cid::raw(b"")));
            let mut builder = Builder::default();
            low.for_each(|(key, cid)| builder.push(key, cid));
            let (Some(node), _) = builder.finish() else { panic!("a tree") };
            assert_eq!(node.level, LEVEL);
            node
        };
        let (usual, large) = (low(100), low(3_000));
        assert_eq!(Pack::of(&usual).map(|pack| pack.open().encode()), Some(usual.encode()));
        assert!(Pack::of(&large).is_none());
        assert!(compact(&Node::new(LEVEL + 1, Vec::new(), vec![Child::Node(large)])).is_none());
    }

    #[test]
    fn a_subtree_that_is_not_whole_stays_as_it_is() {
        let stub = Child::Stub(Box::new(Cid::dag_cbor(b"")));
        let below = Node::new(LEVEL, Vec::new(), vec![stub]);
        assert!(Pack::of(&below).is_none());
        assert!(compact(&Node::new(LEVEL + 1, Vec::new(), vec![Child::Node(below)])).is_none());
    }
}
