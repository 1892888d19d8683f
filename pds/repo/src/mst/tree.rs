//! The tree as its users see it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    Cid,
    mst::{
        Error, Preorder, build, change,
        node::{Child, Node, height},
        pack,
    },
};

/// So many records may be loose in any tree.
const LOOSE: usize = 512;

/// A repository's tree: key to record CID. A clone shares every node.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Option<Arc<Node>>,
    len: usize,
    /// Changes since it was compact.
    changes: usize,
}

impl Tree {
    /// A tree without keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// From records sorted bytewise by key, without repeats.
    pub fn from_sorted(records: impl IntoIterator<Item = (Arc<str>, Cid)>) -> Self {
        let mut builder = build::Builder::default();
        builder.extend(records);
        Self::built(builder)
    }

    /// Of the records that the builder was given.
    pub fn built(builder: build::Builder) -> Self {
        let (root, len) = builder.finish();
        Self { root, len, changes: 0 }
    }

    /// A tree of which only the blocks in `blocks` are there; touching another node is [`Error::Missing`].
    /// Keys are counted as far as they are seen.
    pub fn partial(root: &Cid, blocks: &HashMap<Cid, Bytes>) -> Result<Self, Error> {
        let block = blocks.get(root).ok_or(Error::Missing(*root))?;
        let node = load(root, block, None, (None, None), blocks)?;
        let len = Preorder::new(Some(&node)).filter(|item| matches!(item, super::Item::Record(..))).count();
        let empty = node.entries.is_empty() && node.children[0].is_empty();
        Ok(Self { root: if empty { None } else { Some(node) }, len, changes: 0 })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The root's CID. Hashes what has changed since it was last asked for.
    pub fn root(&self) -> Cid {
        match &self.root {
            Some(root) => root.cid(),
            None => Cid::dag_cbor(&empty_block()),
        }
    }

    /// The record at `key`.
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

    /// Sets `key`; answers what it stood for before.
    pub fn put(&mut self, key: &Arc<str>, value: Cid) -> Result<Option<Cid>, Error> {
        let (root, previous) = change::put_root(self.root.as_ref(), key, height(key), value)?;
        self.root = Some(root);
        self.len += usize::from(previous.is_none());
        self.changes += 1;
        Ok(previous)
    }

    /// Removes `key`; answers what it stood for.
    pub fn delete(&mut self, key: &str) -> Result<Option<Cid>, Error> {
        let Some(root) = &self.root else { return Ok(None) };
        let Some((root, value)) = change::delete_root(root, key)? else { return Ok(None) };
        self.root = root;
        self.len = self.len.saturating_sub(1);
        self.changes += 1;
        Ok(Some(value))
    }

    /// Every node and record, see [`Preorder`]. An empty tree has one node.
    pub fn preorder(&self) -> impl Iterator<Item = super::Item> + Send + 'static {
        let empty = self.root.is_none().then(|| super::Item::Node(self.root(), Bytes::from(empty_block())));
        empty.into_iter().chain(Preorder::new(self.root.as_ref()))
    }

    /// Every record in order.
    pub fn records(&self) -> super::Records {
        super::Records::new(self.root.as_ref())
    }

    /// Brings most of the tree into its compact form, unless there is little to gain. A change makes a pack's worth of records loose.
    pub(crate) fn compact_if_worth_it(&mut self) {
        if self.changes * pack::RECORDS > self.len / 8 + LOOSE {
            self.compact();
        }
    }

    pub(crate) fn compact(&mut self) {
        self.changes = 0;
        // Packs keep the CIDs of their nodes.
        self.root();
        if let Some(compact) = self.root.as_deref().and_then(pack::compact) {
            self.root = Some(compact);
        }
    }

    /// The nodes made since the root was last asked for, hashed now: what a commit adds. Children come before their parents.
    pub fn take_new(&self) -> Vec<(Cid, Bytes)> {
        let mut out = Vec::new();
        match &self.root {
            Some(root) => collect_new(root, &mut out),
            None => out.push((self.root(), Bytes::from(empty_block()))),
        }
        out
    }

    /// The nodes on the way to `key`, whether or not it is there; with `neighbours` also those on the way to the keys beside it.
    pub fn proof(&self, key: &str, neighbours: bool) -> Result<Vec<(Cid, Bytes)>, Error> {
        if self.root.is_none() {
            return Ok(vec![(self.root(), Bytes::from(empty_block()))]);
        }
        Ok(self.path(key, neighbours)?.into_iter().map(|node| (node.cid(), Bytes::from(node.encode()))).collect())
    }

    /// Appends of [`Tree::proof`] what `present` does not name yet: nodes that are there already are not encoded again.
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

/// From `child` down along one edge.
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
    out.push((node.hashed(Cid::dag_cbor(&block)), Bytes::from(block)));
}

fn empty_block() -> Vec<u8> {
    Node::new(0, Vec::new(), vec![Child::Empty]).encode()
}

/// The keys between which a subtree stands; the ends of the tree are open.
type Bounds<'a> = (Option<&'a str>, Option<&'a str>);

/// Loads a block and what is there below it. The level falls by one with each step, so hostile blocks cannot nest without end; and a
/// node with keys fits between its bounds at one place only, so they cannot unfold to more than they are.
fn load(
    cid: &Cid,
    block: &[u8],
    level: Option<u8>,
    (after, before): Bounds<'_>,
    blocks: &HashMap<Cid, Bytes>,
) -> Result<Arc<Node>, Error> {
    let node = Node::decode(*cid, block, level)?;
    let (root, keyless) = (level.is_none(), node.entries.is_empty());
    // A root without keys is only valid for the empty tree; below it, a node without keys leads to one that has some.
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

    /// `n` keys that stand at `level`, in order.
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
    fn a_subtree_at_two_places_is_refused() {
        let leaf = Node::new(0, keys(0, 1).iter().map(entry).collect(), vec![Child::Empty, Child::Empty]);
        let below = Child::Node(leaf.clone());
        let root = Node::new(1, keys(1, 1).iter().map(entry).collect(), vec![below.clone(), below]);
        let blocks = HashMap::from([block(&root), block(&leaf)]);
        assert_eq!(Tree::partial(&root.cid(), &blocks).unwrap_err(), Error::Invalid(leaf.cid()));
    }

    #[test]
    fn a_node_that_leads_to_no_key_is_refused() {
        let nothing = Node::new(0, Vec::new(), vec![Child::Empty]);
        let below = vec![Child::Node(nothing.clone()), Child::Empty];
        let root = Node::new(1, keys(1, 1).iter().map(entry).collect(), below);
        let blocks = HashMap::from([block(&root), block(&nothing)]);
        assert_eq!(Tree::partial(&root.cid(), &blocks).unwrap_err(), Error::Invalid(nothing.cid()));
        assert!(Tree::partial(&nothing.cid(), &blocks).unwrap().is_empty());
    }

    #[test]
    fn a_change_makes_only_the_nodes_on_its_way_new() {
        let mut records: Vec<(Arc<str>, Cid)> =
            (0..5_000).map(|n| (Arc::from(format!("com.example.record/{n:07}")), Cid::raw(b""))).collect();
        let (key, _) = records.remove(2_500);
        let mut tree = Tree::from_sorted(records);
        let (before, kept) = (tree.root(), tree.clone());
        tree.put(&key, Cid::raw(b"new")).unwrap();
        assert!(tree.take_new().len() <= 12, "one way through 5,000 keys is about log4 of them long");
        assert!(tree.take_new().is_empty());
        assert_eq!(kept.root(), before);
    }
}
