//! Builds a tree from sorted keys, in one pass for each level.

use std::sync::Arc;

use crate::{
    Cid,
    mst::{
        node::{Child, Entry, Node, height},
        packing::{LEVEL, packed},
    },
};

/// Builds the tree of `records`, which must be sorted bytewise by key and have no duplicates. Returns the root and the number of records.
pub(crate) fn build(records: impl IntoIterator<Item = (Arc<str>, Cid)>) -> (Option<Arc<Node>>, usize) {
    let items: Vec<(Entry, u8)> =
        records.into_iter().map(|(key, value)| (height(&key), Entry { key, value })).map(|(h, e)| (e, h)).collect();
    let level = items.iter().map(|(_, height)| *height).max().unwrap_or(0);
    (subtree(&items, level), items.len())
}

fn subtree(items: &[(Entry, u8)], level: u8) -> Option<Arc<Node>> {
    if items.is_empty() {
        return None;
    }
    let below = |part: &[(Entry, u8)]| {
        let node = level.checked_sub(1).and_then(|level| subtree(part, level));
        // Packed immediately, so that a large tree is never unpacked in memory as a whole.
        let packed = node.as_ref().filter(|node| node.level == LEVEL).and_then(|node| packed(node));
        packed.unwrap_or_else(|| Child::from(node))
    };
    let (mut entries, mut children, mut from) = (Vec::new(), Vec::new(), 0);
    for (at, (entry, _)) in items.iter().enumerate().filter(|(_, (_, height))| *height == level) {
        children.push(below(&items[from..at]));
        entries.push(entry.clone());
        from = at + 1;
    }
    children.push(below(&items[from..]));
    Some(Node::new(level, entries, children))
}
