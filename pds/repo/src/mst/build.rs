//! Builds a tree from sorted keys, in one pass.

use std::sync::Arc;

use crate::{
    Cid,
    mst::{
        node::{Child, Entry, NODE_BYTES, Node, entry_bytes, height},
        packing::{LEVEL, pack},
    },
};

/// Builds a tree record by record. The keys must be sorted bytewise and have no duplicates.
///
/// Finished subtrees are packed immediately and only one node of each level is unfinished, so that a large tree is never unpacked in memory as a
/// whole.
#[derive(Debug, Default)]
pub struct Builder {
    /// The unfinished nodes, by level.
    open: Vec<Open>,
    len: usize,
    bytes: usize,
}

/// An unfinished node: entries are still added to it.
#[derive(Debug, Default)]
struct Open {
    entries: Vec<Entry>,
    /// The subtree before each entry.
    children: Vec<Child>,
    /// The subtree after the last entry.
    tail: Child,
    /// Memory of the entries and the subtrees.
    bytes: usize,
}

impl Builder {
    /// Adds a record. Its key must be above all keys before.
    pub fn push(&mut self, key: Arc<str>, value: Cid) {
        let level = usize::from(height(&key));
        self.finish_below(level);
        let (open, bytes) = (&mut self.open[level], entry_bytes(&key));
        open.bytes += bytes;
        self.bytes += bytes;
        open.children.push(std::mem::take(&mut open.tail));
        open.entries.push(Entry { key, value });
        self.len += 1;
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no record was added.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory that the tree takes so far, in bytes, about.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The root, the number of records and the memory of the tree in bytes.
    pub(crate) fn finish(mut self) -> (Option<Arc<Node>>, usize, usize) {
        let Some(top) = self.open.len().checked_sub(1) else { return (None, 0, 0) };
        self.finish_below(top);
        (finished(&mut self.open[top], top), self.len, self.bytes)
    }

    /// Finishes the nodes below `level`.
    fn finish_below(&mut self, level: usize) {
        if self.open.len() <= level {
            self.open.resize_with(level + 1, Open::default);
        }
        for below in 0..level {
            let unpacked = std::mem::take(&mut self.open[below].bytes);
            let Some(node) = finished(&mut self.open[below], below) else { continue };
            let pack = if node.level == LEVEL { pack(&node) } else { None };
            let (subtree, bytes) = match pack {
                Some(pack) => {
                    let bytes = pack.memory_bytes();
                    (Child::Packed(Arc::new(pack)), bytes)
                }
                None => (Child::Node(node), unpacked + NODE_BYTES),
            };
            self.bytes = self.bytes - unpacked + bytes;
            let above = &mut self.open[below + 1];
            above.tail = subtree;
            above.bytes += bytes;
        }
    }
}

impl Extend<(Arc<str>, Cid)> for Builder {
    fn extend<T: IntoIterator<Item = (Arc<str>, Cid)>>(&mut self, records: T) {
        records.into_iter().for_each(|(key, value)| self.push(key, value));
    }
}

/// Finishes a node. `None` if it has neither entries nor a subtree.
fn finished(open: &mut Open, level: usize) -> Option<Arc<Node>> {
    let Open { entries, mut children, tail, bytes: _ } = std::mem::take(open);
    if entries.is_empty() && tail.is_empty() {
        return None;
    }
    children.push(tail);
    // The level always fits: it is half the number of leading zero bits of a digest of 256 bits.
    Some(Node::new(u8::try_from(level).unwrap_or(u8::MAX), entries, children))
}
