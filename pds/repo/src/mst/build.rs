//! A whole tree from sorted keys, in one pass.

use std::sync::Arc;

use crate::{
    Cid,
    mst::{
        node::{Child, Entry, Node, height},
        pack::{LEVEL, packed},
    },
};

/// Takes records one by one, sorted bytewise and without repeats. Beside what is finished it holds one unfinished node a level, so a large tree
/// is never there in its large form.
#[derive(Debug, Default)]
pub struct Builder {
    /// From level 0 up.
    open: Vec<Open>,
    len: usize,
}

/// A node to which entries are still added.
#[derive(Debug, Default)]
struct Open {
    entries: Vec<Entry>,
    /// Before each of the entries.
    children: Vec<Child>,
    /// Behind the last entry.
    tail: Child,
}

impl Builder {
    /// Adds a record behind all others.
    pub fn push(&mut self, key: Arc<str>, value: Cid) {
        let level = usize::from(height(&key));
        self.close_below(level);
        let open = &mut self.open[level];
        open.children.push(std::mem::take(&mut open.tail));
        open.entries.push(Entry { key, value });
        self.len += 1;
    }

    /// The root, and how many records there are.
    pub(crate) fn finish(mut self) -> (Option<Arc<Node>>, usize) {
        let Some(top) = self.open.len().checked_sub(1) else { return (None, 0) };
        self.close_below(top);
        (node(&mut self.open[top], top), self.len)
    }

    /// What is below a level is whole.
    fn close_below(&mut self, level: usize) {
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

/// The node that is finished now, if anything is at or below it. A node without entries leads to one that has some.
fn node(open: &mut Open, level: usize) -> Option<Arc<Node>> {
    let Open { entries, mut children, tail } = std::mem::take(open);
    if entries.is_empty() && tail.is_empty() {
        return None;
    }
    children.push(tail);
    // A digest has 256 bits, two of which make a level.
    Some(Node::new(u8::try_from(level).unwrap_or(u8::MAX), entries, children))
}
