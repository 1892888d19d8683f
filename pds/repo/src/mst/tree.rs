//! The tree as its users see it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::{
    Cid,
    mst::{
        Error, Preorder, build, change,
        node::{Child, Node, height},
    },
};

/// A repository's tree: key to record CID. A clone shares every node.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    root: Option<Arc<Node>>,
    len: usize,
}

impl Tree {
    /// A tree without keys.
    pub fn empty() -> Self {
        Self::default()
    }

    /// From records sorted bytewise by key, without repeats.
    pub fn from_sorted(records: impl IntoIterator<Item = (Arc<str>, Cid)>) -> Self {
        let (root, len) = build::build(records);
        Self { root, len }
    }

    /// A tree of which only the blocks in `blocks` are there; touching another node is [`Error::Missing`].
    /// Keys are counted as far as they are seen.
    pub fn partial(root: &Cid, blocks: &HashMap<Cid, Bytes>) -> Result<Self, Error> {
        let block = blocks.get(root).ok_or(Error::Missing(*root))?;
        let node = load(root, block, None, blocks)?;
        let len = Preorder::new(Some(&node)).filter(|item| matches!(item, super::Item::Record(..))).count();
        let empty = node.entries.is_empty() && node.children[0].is_empty();
        Ok(Self { root: if empty { None } else { Some(node) }, len })
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
        let mut node = self.root.as_ref();
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
        Ok(previous)
    }

    /// Removes `key`; answers what it stood for.
    pub fn delete(&mut self, key: &str) -> Result<Option<Cid>, Error> {
        let Some(root) = &self.root else { return Ok(None) };
        let Some((root, value)) = change::delete_root(root, key)? else { return Ok(None) };
        self.root = root;
        self.len = self.len.saturating_sub(1);
        Ok(Some(value))
    }

    /// Every node and record, see [`Preorder`]. An empty tree has one node.
    pub fn preorder(&self) -> impl Iterator<Item = super::Item> + Send + 'static {
        let empty = self.root.is_none().then(|| super::Item::Node(self.root(), Bytes::from(empty_block())));
        empty.into_iter().chain(Preorder::new(self.root.as_ref()))
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
        let mut nodes = Vec::new();
        let mut node = self.root.as_ref();
        while let Some(current) = node {
            nodes.push(current);
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
        if nodes.is_empty() {
            return Ok(vec![(self.root(), Bytes::from(empty_block()))]);
        }
        Ok(nodes.into_iter().map(|node| (node.cid(), Bytes::from(node.encode()))).collect())
    }
}

/// From `child` down along one edge.
fn spine<'a>(child: &'a Child, nodes: &mut Vec<&'a Arc<Node>>, next: fn(&Node) -> Option<&Child>) -> Result<(), Error> {
    let mut at = child.node()?;
    while let Some(node) = at {
        nodes.push(node);
        at = match next(node) {
            Some(child) => child.node()?,
            None => None,
        };
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

/// Loads a block and what is there below it. The level falls by one with each step, so hostile blocks cannot nest without end.
fn load(cid: &Cid, block: &[u8], level: Option<u8>, blocks: &HashMap<Cid, Bytes>) -> Result<Arc<Node>, Error> {
    let node = Node::decode(*cid, block, level)?;
    // A root without keys of its own is only valid for the empty tree; below, levels are known.
    if level.is_none() && node.entries.is_empty() && !node.children[0].is_empty() {
        return Err(Error::Invalid(*cid));
    }
    let mut children = node.children.clone();
    for child in &mut children {
        if let Child::Stub(below) = child
            && let Some(block) = blocks.get(below)
        {
            let level = node.level.checked_sub(1).ok_or(Error::Invalid(*cid))?;
            *child = Child::Node(load(below, block, Some(level), blocks)?);
        }
    }
    Ok(Node::known(node.level, node.entries.clone(), children, *cid))
}
