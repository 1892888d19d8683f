//! Iterators over the nodes and records of a tree.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Cid,
    mst::node::{Child, Node},
};

/// An item of [`Preorder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// CID and block of a node. Precedes everything below the node.
    Node(Cid, Bytes),
    /// Key and CID of a record, at its place between the subtrees.
    Record(Arc<str>, Cid),
}

/// Iterates depth first: each node, then its subtrees and records in key order. A reader can thus check each block against one that it has
/// read. Skips the missing nodes of a partial tree.
#[derive(Debug)]
pub struct Preorder {
    stack: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Enter(Arc<Node>),
    /// The entry with this index, then the subtree after it.
    Entry(Arc<Node>, usize),
}

impl Preorder {
    pub(crate) fn new(root: Option<&Arc<Node>>) -> Self {
        Self { stack: root.map(|root| Step::Enter(root.clone())).into_iter().collect() }
    }

    fn push_child(&mut self, child: &Child) {
        self.stack.extend(child.node_if_known().map(Step::Enter));
    }
}

impl Iterator for Preorder {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        match self.stack.pop()? {
            Step::Enter(node) => {
                if !node.entries.is_empty() {
                    self.stack.push(Step::Entry(node.clone(), 0));
                }
                self.push_child(&node.children[0]);
                let block = Bytes::from(node.encode());
                Some(Item::Node(node.cid(), block))
            }
            Step::Entry(node, at) => {
                if at + 1 < node.entries.len() {
                    self.stack.push(Step::Entry(node.clone(), at + 1));
                }
                self.push_child(&node.children[at + 1]);
                let entry = &node.entries[at];
                Some(Item::Record(entry.key.clone(), entry.value))
            }
        }
    }
}

/// Iterates over the records of a tree in key order. Skips the missing nodes of a partial tree.
#[derive(Debug)]
pub struct Records {
    /// The nodes on the current path, each with the index of its next entry.
    stack: Vec<(Arc<Node>, usize)>,
}

impl Records {
    pub(crate) fn new(root: Option<&Arc<Node>>) -> Self {
        let mut records = Self { stack: Vec::new() };
        records.enter(root.cloned());
        records
    }

    /// Goes down to the first record below.
    fn enter(&mut self, mut node: Option<Arc<Node>>) {
        while let Some(at) = node {
            node = at.children[0].node_if_known();
            if !at.entries.is_empty() {
                self.stack.push((at, 0));
            }
        }
    }
}

impl Iterator for Records {
    type Item = (Arc<str>, Cid);

    fn next(&mut self) -> Option<Self::Item> {
        let (node, at) = self.stack.pop()?;
        let (record, right) = (node.entries[at].clone(), node.children[at + 1].node_if_known());
        if at + 1 < node.entries.len() {
            self.stack.push((node, at + 1));
        }
        self.enter(right);
        Some((record.key, record.value))
    }
}
