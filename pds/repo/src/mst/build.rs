//! Builds a tree from sorted keys, in one pass.

use std::sync::Arc;

use crate::{
    Cid,
    mst::{
        node::{Child, Entry, Node, height},
        packing::{LEVEL, packed},
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
}

/// An unfinished node: entries are still added to it.
#[derive(Debug, Default)]
struct Open {
    entries: Vec<Entry>,
    /// The subtree before each entry.
    children: Vec<Child>,
    /// The subtree after the last entry.
    tail: Child,
}

impl Builder {
    /// Adds a record. Its key must be above all keys before.
    pub fn push(&mut self, key: Arc<str>, value: Cid) {
        let level = usize::from(height(&key));
        self.finish_below(level);
        let open = &mut self.open[level];
        open.children.push(std::mem::take(&mut open.tail));
        open.entries.push(Entry { key, value });
        self.len += 1;
    }

    /// The root and the number of records.
    pub(crate) fn finish(mut self) -> (Option<Arc<Node>>, usize) {
        let Some(top) = self.open.len().checked_sub(1) else { return (None, 0) };
        self.finish_below(top);
        (node(&mut self.open[top], top), self.len)
    }

    /// Finishes the nodes below `level`.
    fn finish_below(&mut self, level: usize) {
        if self.open.len() <= level {
            self.open.resize_with(level + 1, Open::default);
        }
        for below in 0..level {
            let Some(node) = node(&mut self.open[below], below) else { continue };
            let packed = (node.level == LEVEL).then(|| packed(&node)).flatten();
            self.open[below + 1].tail = packed.unwrap_or(Child::Node(node));
        }
    }
}

impl Extend<(Arc<str>, Cid)> for Builder {
    fn extend<T: IntoIterator<Item = (Arc<str>, Cid)>>(&mut self, records: T) {
        records.into_iter().for_each(|(key, value)| self.push(key, value));
    }
}

/// Finishes a node. `None` if it has neither entries nor a subtree.
fn node(open: &mut Open, level: usize) -> Option<Arc<Node>> {
    let Open { entries, mut children, tail } = std::mem::take(open);
    if entries.is_empty() && tail.is_empty() {
        return None;
    }
    children.push(tail);
    // The level always fits: it is half the number of leading zero bits of a digest of 256 bits.
    Some(Node::new(u8::try_from(level).unwrap_or(u8::MAX), entries, children))
}
