//! The tree and its operations.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Cid,
    mst::{
        Error, Preorder, build, change,
        node::{Child, Node, entry_bytes, height},
        packing,
    },
};

/// Maximum number of records kept unpacked in one tree, in addition to an eighth of its records.
const UNPACKED: usize = 512;

/// The tree of a repository: maps keys to the CIDs of records. Clones share all nodes.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Option<Arc<Node>>,
    len: usize,
    bytes: usize,
    /// Number of changes since the tree was last packed.
    changes: usize,
}

impl Tree {
    /// A tree without keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Builds the tree of `records`, which must be sorted bytewise by key and have no duplicates.
    pub fn from_sorted(records: impl IntoIterator<Item = (Arc<str>, Cid)>) -> Self {
        let mut builder = build::Builder::default();
        builder.extend(records);
        Self::built(builder)
    }

    /// The tree of the records that were pushed to `builder`.
    pub fn built(builder: build::Builder) -> Self {
        let (root, len, bytes) = builder.finish();
        Self { root, len, bytes, changes: 0 }
    }

    /// A tree with only the nodes in `blocks`. Operations that need another node fail with [`Error::Missing`]. [`Tree::len`] counts only keys in
    /// these nodes, and [`Tree::memory_bytes`] is 0.
    pub fn partial(root: &Cid, blocks: &HashMap<Cid, Bytes>) -> Result<Self, Error> {
        let block = blocks.get(root).ok_or(Error::Missing(*root))?;
        let node = load(root, block, None, (None, None), blocks)?;
        let len = Preorder::new(Some(&node)).filter(|item| matches!(item, super::Item::Record(..))).count();
        let empty = node.entries.is_empty() && node.children[0].is_empty();
        Ok(Self { root: if empty { None } else { Some(node) }, len, bytes: 0, changes: 0 })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Memory that the tree takes, in bytes, about. Clones share it.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the tree has no keys.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The CID of the root. Hashes the nodes that changed since the last call.
    pub fn root(&self) -> Cid {
        match &self.root {
            Some(root) => root.cid(),
            None => Cid::dag_cbor(&empty_block()),
        }
    }

    /// The CID of the record at `key`.
    pub fn get(&self, key: &str) -> Result<Option<Cid>, Error> {
        let mut node = self.root.clone();
        while let Some(current) = node {
            match current.find(key) {
                Ok(at) => return Ok(Some(current.entries[at].value)),
                Err(at) => node = current.children[at].node()?,
            }
        }
        Ok(None)
    }

    /// Sets `key`. Returns the previous value.
    pub fn put(&mut self, key: &Arc<str>, value: Cid) -> Result<Option<Cid>, Error> {
        let (root, previous) = change::put_root(self.root.as_ref(), key, height(key), value)?;
        self.root = Some(root);
        if previous.is_none() {
            self.len += 1;
            self.bytes += entry_bytes(key);
        }
        self.changes += 1;
        Ok(previous)
    }

    /// Removes `key`. Returns its value, or `None` if the tree does not contain it.
    pub fn delete(&mut self, key: &str) -> Result<Option<Cid>, Error> {
        let Some(root) = &self.root else { return Ok(None) };
        let Some((root, value)) = change::delete_root(root, key)? else { return Ok(None) };
        self.root = root;
        // The average: whether the record was packed is not known, and a packed one takes less than half.
        self.bytes -= self.bytes / self.len.max(1);
        self.len = self.len.saturating_sub(1);
        self.changes += 1;
        Ok(Some(value))
    }

    /// All nodes and records, see [`Preorder`]. An empty tree has one node.
    pub fn preorder(&self) -> impl Iterator<Item = super::Item> + Send + 'static {
        let empty = self.root.is_none().then(|| super::Item::Node(self.root(), Bytes::from(empty_block())));
        empty.into_iter().chain(Preorder::new(self.root.as_ref()))
    }

    /// All records in key order.
    pub fn records(&self) -> super::Records {
        super::Records::new(self.root.as_ref())
    }

    /// Packs the tree if many records are unpacked. Each change counts as one unpacked pack.
    pub(crate) fn compact_if_worth_it(&mut self) {
        if self.changes * packing::RECORDS > self.len / 8 + UNPACKED {
            self.compact();
        }
    }

    /// Packs the tree.
    pub(crate) fn compact(&mut self) {
        self.changes = 0;
        // Packs contain the CIDs of their nodes.
        self.root();
        if let Some(compact) = self.root.as_deref().and_then(packing::compact) {
            self.root = Some(compact);
        }
    }

    /// The nodes that changed since the last call of this method or [`Tree::root`]: the new nodes of a commit. Hashes them. Children precede
    /// their parents.
    pub fn take_new(&self) -> Vec<(Cid, Bytes)> {
        let mut out = Vec::new();
        match &self.root {
            Some(root) => collect_new(root, &mut out),
            None => out.push((self.root(), Bytes::from(empty_block()))),
        }
        out
    }

    /// The blocks of the nodes on the path to `key`, which prove that the tree contains it or not. With `neighbours`, also the nodes on the paths
    /// to the previous and the next key.
    pub fn proof(&self, key: &str, neighbours: bool) -> Result<Vec<(Cid, Bytes)>, Error> {
        if self.root.is_none() {
            return Ok(vec![(self.root(), Bytes::from(empty_block()))]);
        }
        Ok(self.path(key, neighbours)?.into_iter().map(|node| (node.cid(), Bytes::from(node.encode()))).collect())
    }

    /// Appends the blocks of [`Tree::proof`] that are not in `present` to `out`, and adds them to `present`. Does not encode the others.
    pub(crate) fn prove(
        &self,
        key: &str,
        neighbours: bool,
        present: &mut HashSet<Cid>,
        out: &mut Vec<(Cid, Bytes)>,
    ) -> Result<(), Error> {
        for node in self.path(key, neighbours)? {
            if present.insert(node.cid()) {
                out.push((node.cid(), Bytes::from(node.encode())));
            }
        }
        Ok(())
    }

    fn path(&self, key: &str, neighbours: bool) -> Result<Vec<Arc<Node>>, Error> {
        let mut nodes = Vec::new();
        let mut node = self.root.clone();
        while let Some(current) = node {
            nodes.push(current.clone());
            match current.find(key) {
                Ok(at) => {
                    if neighbours {
                        spine(&current.children[at], &mut nodes, |node| node.children.last())?;
                        spine(&current.children[at + 1], &mut nodes, |node| node.children.first())?;
                    }
                    break;
                }
                Err(at) => node = current.children[at].node()?,
            }
        }
        Ok(nodes)
    }
}

/// Appends the nodes from `child` down along one edge of the subtree.
fn spine(child: &Child, nodes: &mut Vec<Arc<Node>>, next: fn(&Node) -> Option<&Child>) -> Result<(), Error> {
    let mut at = child.node()?;
    while let Some(node) = at {
        at = match next(&node) {
            Some(child) => child.node()?,
            None => None,
        };
        nodes.push(node);
    }
    Ok(())
}

fn collect_new(node: &Arc<Node>, out: &mut Vec<(Cid, Bytes)>) {
    if node.is_hashed() {
        return;
    }
    for child in &node.children {
        if let Child::Node(child) = child {
            collect_new(child, out);
        }
    }
    let block = node.encode();
    out.push((node.set_cid(Cid::dag_cbor(&block)), Bytes::from(block)));
}

fn empty_block() -> Vec<u8> {
    Node::new(0, Vec::new(), vec![Child::Empty]).encode()
}

/// The keys before and after a subtree. `None` at the ends of the tree.
type Bounds<'a> = (Option<&'a str>, Option<&'a str>);

/// Loads a node and all nodes below it that are in `blocks`.
///
/// Hostile blocks cannot use more memory or time than they have bytes: the level decreases with each step down, so nesting is limited, and a
/// node with keys fits between its bounds at only one place.
fn load(
    cid: &Cid,
    block: &[u8],
    level: Option<u8>,
    (after, before): Bounds<'_>,
    blocks: &HashMap<Cid, Bytes>,
) -> Result<Arc<Node>, Error> {
    let node = Node::decode(*cid, block, level)?;
    let (root, keyless) = (level.is_none(), node.entries.is_empty());
    // Only the empty tree may have a root without keys. Any other node without keys must have a subtree.
    if keyless && root != node.children[0].is_empty() {
        return Err(Error::Invalid(*cid));
    }
    let first = node.entries.first().map(|entry| entry.key.as_bytes());
    let last = node.entries.last().map(|entry| entry.key.as_bytes());
    let low = after.zip(first).is_some_and(|(after, first)| first <= after.as_bytes());
    let high = before.zip(last).is_some_and(|(before, last)| last >= before.as_bytes());
    if low || high {
        return Err(Error::Invalid(*cid));
    }
    let mut children = node.children.clone();
    for (at, child) in children.iter_mut().enumerate() {
        if let Child::Stub(below) = child
            && let Some(block) = blocks.get(&**below)
        {
            let level = node.level.checked_sub(1).ok_or(Error::Invalid(*cid))?;
            let left = at.checked_sub(1).map(|left| &*node.entries[left].key).or(after);
            let right = node.entries.get(at).map(|right| &*right.key).or(before);
            *child = Child::Node(load(below, block, Some(level), (left, right), blocks)?);
        }
    }
    Ok(Node::known(node.level, node.entries.clone(), children, *cid))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` keys of `level`, in order.
    fn keys(level: u8, n: usize) -> Vec<Arc<str>> {
        let mut keys: Vec<Arc<str>> = (0..)
            .map(|n| Arc::from(format!("com.example.record/{n:07}")))
            .filter(|key: &Arc<str>| height(key) == level)
            .take(n)
            .collect();
        keys.sort();
        keys
    }

    fn entry(key: &Arc<str>) -> crate::mst::node::Entry {
        crate::mst::node::Entry { key: key.clone(), value: Cid::raw(b"") }
    }

    fn block(node: &Node) -> (Cid, Bytes) {
        let bytes = Bytes::from(node.encode());
        (Cid::dag_cbor(&bytes), bytes)
    }

    #[test]
    fn a_subtree_that_occurs_twice_is_refused() {
        let leaf = Node::new(0, keys(0, 1).iter().map(entry).collect(), vec![Child::Empty, Child::Empty]);
        let below = Child::Node(leaf.clone());
        let root = Node::new(1, keys(1, 1).iter().map(entry).collect(), vec![below.clone(), below]);
        let blocks = HashMap::from([block(&root), block(&leaf)]);
        assert_eq!(Tree::partial(&root.cid(), &blocks).unwrap_err(), Error::Invalid(leaf.cid()));
    }

    #[test]
    fn a_node_without_keys_and_subtrees_is_refused() {
        let nothing = Node::new(0, Vec::new(), vec![Child::Empty]);
        let below = vec![Child::Node(nothing.clone()), Child::Empty];
        let root = Node::new(1, keys(1, 1).iter().map(entry).collect(), below);
        let blocks = HashMap::from([block(&root), block(&nothing)]);
        assert_eq!(Tree::partial(&root.cid(), &blocks).unwrap_err(), Error::Invalid(nothing.cid()));
        assert!(Tree::partial(&nothing.cid(), &blocks).unwrap().is_empty());
    }

    /// Packed records count less than those that are added later, so that a deletion must not take off more than there was.
    #[test]
    fn a_tree_of_half_the_records_counts_half_the_memory() {
        let keys: Vec<Arc<str>> = (0..4_000).map(|n| Arc::from(format!("com.example.record/{n:07}"))).collect();
        let mut tree = Tree::from_sorted(keys.iter().map(|key| (key.clone(), Cid::raw(b""))));
        let whole = tree.memory_bytes();
        assert!((4_000 * 32..4_000 * 128).contains(&whole), "{whole}");
        for key in keys.iter().step_by(2) {
            tree.delete(key).unwrap();
        }
        let half = tree.memory_bytes();
        assert!(half.abs_diff(whole / 2) < whole / 100, "{half} of {whole}");
    }

    #[test]
    fn a_change_makes_new_nodes_on_its_path_only() {
        let mut records: Vec<(Arc<str>, Cid)> =
            (0..5_000).map(|n| (Arc::from(format!("com.example.record/{n:07}")), Cid::raw(b""))).collect();
        let (key, _) = records.remove(2_500);
        let mut tree = Tree::from_sorted(records);
        let (before, kept) = (tree.root(), tree.clone());
        tree.put(&key, Cid::raw(b"new")).unwrap();
        assert!(tree.take_new().len() <= 12, "a path has about log4 of 5,000 nodes");
        assert!(tree.take_new().is_empty());
        assert_eq!(kept.root(), before);
    }
}
