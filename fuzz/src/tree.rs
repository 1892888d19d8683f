//! Trees from blocks: a valid tree is edited, hashed again and loaded.
//!
//! A complete tree loads if and only if it is the tree of its records, with keys in order. Every operation on a partial tree succeeds or
//! reports a missing node. Inserting a key and deleting it again restores the root.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use ipld_core::ipld::Ipld;
use pds_repo::{
    Cid,
    mst::{Error, Item, Tree, height},
};
use serde::Serialize;

use crate::input::Input;

/// The content of the block of a node. Children are indices of [`Model::nodes`].
#[derive(Clone, Debug, Default)]
struct Node {
    left: Child,
    entries: Vec<Entry>,
    /// Its block is left out.
    missing: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    key: Vec<u8>,
    right: Child,
    /// Subtracted from the length of the prefix, which makes it wrong or not the longest.
    off: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Child {
    #[default]
    None,
    Node(usize),
    /// A block that does not exist.
    Stub,
}

/// Parents precede their children, so that no edit can make a cycle.
#[derive(Debug, Default)]
struct Model {
    nodes: Vec<Node>,
}

/// The block of a node as in the specification, encoded by another library.
#[derive(Serialize)]
struct Block {
    e: Vec<BlockEntry>,
    l: Option<cid::Cid>,
}

#[derive(Serialize)]
struct BlockEntry {
    k: Ipld,
    p: usize,
    t: Option<cid::Cid>,
    v: cid::Cid,
}

/// Keys of the levels 0 to 3. Some are in another order if collection and record key are compared separately. Some are long.
pub(crate) fn key(n: usize) -> String {
    let collection = ["a.b.c", "a.b.c-d.e", "a.b.c.d", "app.bsky.feed.post"][n % 4];
    match n % 37 {
        36 => format!("{collection}/{n}{}", "-".repeat(500)),
        _ => format!("{collection}/{n}"),
    }
}

fn value() -> Cid {
    Cid::raw(b"leaf")
}

/// Builds the tree of keys with their levels, as the specification describes it.
fn build(model: &mut Model, keys: &[(String, u8)], level: u8) -> Child {
    if keys.is_empty() {
        return Child::None;
    }
    let at = model.nodes.len();
    model.nodes.push(Node::default());
    let mut node = Node::default();
    for part in keys.split_inclusive(|key| key.1 == level) {
        let (own, below) = match part.split_last() {
            Some((last, below)) if last.1 == level => (Some(last), below),
            _ => (None, part),
        };
        let child = level.checked_sub(1).map_or(Child::None, |level| build(model, below, level));
        match node.entries.last_mut() {
            Some(entry) => entry.right = child,
            None => node.left = child,
        }
        node.entries.extend(own.map(|(key, _)| Entry { key: key.clone().into_bytes(), right: Child::None, off: 0 }));
    }
    model.nodes[at] = node;
    Child::Node(at)
}

impl Model {
    fn of(keys: &[String]) -> Self {
        let mut model = Self::default();
        let keys: Vec<(String, u8)> = keys.iter().map(|key| (key.clone(), height(key))).collect();
        let level = keys.iter().map(|(_, level)| *level).max().unwrap_or(0);
        if build(&mut model, &keys, level) == Child::None {
            model.nodes.push(Node::default());
        }
        model
    }

    /// The blocks that are not left out, and the root.
    fn blocks(&self) -> (Cid, HashMap<Cid, Bytes>) {
        let (mut blocks, mut cids) = (HashMap::new(), vec![None; self.nodes.len()]);
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let link = |child: &Child| match *child {
                // An edit may have set a child that precedes its parent.
                Child::Node(below) if below > at => cids[below],
                Child::Stub => Some(Cid::dag_cbor(b"stub")),
                _ => None,
            };
            let mut before: &[u8] = &[];
            let mut e = Vec::new();
            for entry in &node.entries {
                let shared = entry.key.iter().zip(before).take_while(|(a, b)| a == b).count();
                let p = shared.wrapping_sub(usize::from(entry.off)) & 0xffff;
                let k = Ipld::Bytes(entry.key[p.min(shared)..].to_vec());
                e.push(BlockEntry { k, p, t: link(&entry.right).map(Into::into), v: value().into() });
                before = &entry.key;
            }
            let block = serde_ipld_dagcbor::to_vec(&Block { e, l: link(&node.left).map(Into::into) });
            let block = Bytes::from(block.expect("a node can be encoded"));
            let cid = Cid::dag_cbor(&block);
            cids[at] = Some(cid);
            if !node.missing {
                blocks.insert(cid, block);
            }
        }
        (cids[0].expect("there is a root"), blocks)
    }

    /// Appends the keys from left to right. `None` if a block is missing.
    fn keys(&self, child: Child, parent: usize, out: &mut Vec<Vec<u8>>) -> Option<()> {
        let Child::Node(at) = child else { return (child == Child::None).then_some(()) };
        if at <= parent && parent != usize::MAX {
            return Some(());
        }
        let node = &self.nodes[at];
        if node.missing || out.len() > 10_000 {
            return None;
        }
        self.keys(node.left, at, out)?;
        for entry in &node.entries {
            out.push(entry.key.clone());
            self.keys(entry.right, at, out)?;
        }
        Some(())
    }

    fn edit(&mut self, input: &mut Input<'_>) {
        let (what, at) = (input.byte(), input.below(self.nodes.len()));
        let other = input.below(self.nodes.len());
        let slot = input.below(self.nodes[at].entries.len() + 1);
        let child = match what % 12 {
            0 => Child::None,
            1 => Child::Stub,
            2 => Child::Node(other),
            _ => return self.edit_entries(what, at, slot, other, input),
        };
        match slot.checked_sub(1) {
            Some(entry) => self.nodes[at].entries[entry].right = child,
            None => self.nodes[at].left = child,
        }
    }

    fn edit_entries(&mut self, what: u8, at: usize, slot: usize, other: usize, input: &mut Input<'_>) {
        let node = &mut self.nodes[at];
        let old = slot.min(node.entries.len().saturating_sub(1));
        match what % 12 {
            3 => drop((!node.entries.is_empty()).then(|| node.entries.remove(old))),
            4 => {
                let key = key(input.below(256)).into_bytes();
                node.entries.insert(slot, Entry { key, right: Child::None, off: 0 });
            }
            5 if !node.entries.is_empty() => {
                let with = input.below(node.entries.len());
                node.entries.swap(old, with);
            }
            6 if !node.entries.is_empty() => node.entries[old].off = input.byte(),
            7 => node.missing = true,
            8 => {
                // A node without keys: several such nodes form a chain.
                node.entries.clear();
                node.left = Child::Node(other);
            }
            9 if !node.entries.is_empty() => {
                let (entry, length) = (&mut node.entries[old], input.below(8));
                entry.key.truncate(entry.key.len().saturating_sub(length));
                entry.key.extend(input.take(length));
            }
            10 if !node.entries.is_empty() => node.entries[old].key.resize(input.below(256) * 8, b'x'),
            _ => {
                let from = self.nodes[other].clone();
                self.nodes[at].entries.extend(from.entries);
                self.nodes[at].entries.truncate(40);
            }
        }
    }
}

pub(crate) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let (count, step) = (input.below(80), input.below(16) + 1);
    let mut keys: Vec<String> = (0..count).map(|n| key(n * step)).collect();
    keys.sort();
    let mut model = Model::of(&keys);
    let (root, blocks) = model.blocks();
    let whole = rebuilt(keys.iter().map(|key| key.as_str().into()));
    assert_eq!(whole.root(), root, "the tree is the one that the specification describes");
    assert_eq!(Tree::partial(&root, &blocks).map(|tree| tree.len()), Ok(keys.len()));

    let raw = input.byte();
    if raw == 1 {
        let block = Bytes::copy_from_slice(input.rest());
        let cid = Cid::dag_cbor(&block);
        return load(&cid, &HashMap::from([(cid, block)]), None);
    }
    let probes = input.byte();
    for _ in 0..16 {
        if input.is_empty() {
            break;
        }
        model.edit(&mut input);
    }
    let (root, blocks) = model.blocks();
    let mut keys = Vec::new();
    let complete = model.keys(Child::Node(0), usize::MAX, &mut keys).map(|()| keys);
    load(&root, &blocks, complete.as_deref());
    probe(&root, &blocks, probes);
}

fn rebuilt(keys: impl Iterator<Item = Arc<str>>) -> Tree {
    Tree::from_sorted(keys.map(|key| (key, value())))
}

/// Loads a tree and checks it. `keys` are its keys if no block is missing.
fn load(root: &Cid, blocks: &HashMap<Cid, Bytes>, keys: Option<&[Vec<u8>]>) {
    let loaded = Tree::partial(root, blocks);
    if let Some(keys) = keys {
        let texts: Option<Vec<Arc<str>>> = keys.iter().map(|key| Some(std::str::from_utf8(key).ok()?.into())).collect();
        let sorted = keys.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = keys.iter().all(|key| key.len() <= 317 + 1 + 512);
        let proper = fits && sorted && texts.is_some_and(|keys| rebuilt(keys.into_iter()).root() == *root);
        assert_eq!(loaded.is_ok(), proper, "a tree loads if and only if it is the tree of its keys: {loaded:?}");
    }
    let Ok(tree) = loaded else { return };
    let mut before: Option<Arc<str>> = None;
    for item in tree.preorder() {
        match item {
            Item::Node(cid, block) => assert_eq!(blocks.get(&cid), Some(&block), "a node is written as it was read"),
            Item::Record(key, found) => {
                assert_eq!(tree.get(&key), Ok(Some(found)));
                assert!(before.is_none_or(|before| before.as_bytes() < key.as_bytes()), "keys ascend");
                before = Some(key);
            }
        }
    }
}

/// Reads and changes keys in a tree that may be partial.
fn probe(root: &Cid, blocks: &HashMap<Cid, Bytes>, first: u8) {
    let Ok(tree) = Tree::partial(root, blocks) else { return };
    assert_eq!(tree.root(), *root);
    let mut found = BTreeMap::new();
    for n in 0..6 {
        let key: Arc<str> = key(usize::from(first) + 7 * n).into();
        found.insert(key.clone(), unless_missing(tree.get(&key)));
        let _ = unless_missing(tree.proof(&key, true));
        let mut changed = tree.clone();
        match unless_missing(changed.put(&key, Cid::raw(b"new"))) {
            Some(Some(old)) => {
                assert_eq!(
                    (unless_missing(changed.put(&key, old)), changed.root()),
                    (Some(Some(Cid::raw(b"new"))), *root)
                )
            }
            Some(None) => {
                // Deleting may need nodes that inserting did not: those of the neighbours.
                if let Some(gone) = unless_missing(changed.delete(&key)) {
                    assert_eq!((gone, changed.root()), (Some(Cid::raw(b"new")), *root));
                }
            }
            None => {}
        }
        let mut changed = tree.clone();
        if let Some(Some(old)) = unless_missing(changed.delete(&key)) {
            assert_eq!(found[&key], Some(Some(old)));
            if unless_missing(changed.put(&key, old)).is_some() {
                assert_eq!(changed.root(), *root);
            }
        }
    }
}

/// The result, or `None` if a node was missing. Panics on any other error.
fn unless_missing<T>(answer: Result<T, Error>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert!(matches!(error, Error::Missing(_)), "{error}");
            None
        }
    }
}
