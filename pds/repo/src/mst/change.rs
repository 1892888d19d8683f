//! Insertion and deletion of keys. Every function returns a new node and leaves the old one unchanged.

use std::sync::Arc;

use crate::{
    Cid,
    mst::{
        Error,
        node::{Child, Entry, Node},
    },
};

type Result<T> = std::result::Result<T, Error>;

/// Wraps `child`, whose level is `from`, in nodes without keys up to `level`. An empty child stays empty.
fn lift(mut child: Child, from: u8, level: u8) -> Child {
    for at in from + 1..=level {
        if child.is_empty() {
            break;
        }
        child = Child::Node(Node::new(at, Vec::new(), vec![child]));
    }
    child
}

/// The root of the tree with `key` set to `value`, and the previous value.
pub(crate) fn put_root(
    root: Option<&Arc<Node>>,
    key: &Arc<str>,
    height: u8,
    value: Cid,
) -> Result<(Arc<Node>, Option<Cid>)> {
    let Some(root) = root else {
        return Ok((single(key, height, value, Child::Empty, Child::Empty), None));
    };
    if height <= root.level {
        return put(root, key, height, value);
    }
    let (left, right) = split(root, key)?;
    let (left, right) = (lift(left.into(), root.level, height - 1), lift(right.into(), root.level, height - 1));
    Ok((single(key, height, value, left, right), None))
}

fn single(key: &Arc<str>, level: u8, value: Cid, left: Child, right: Child) -> Arc<Node> {
    Node::new(level, vec![Entry { key: key.clone(), value }], vec![left, right])
}

fn put(node: &Arc<Node>, key: &Arc<str>, height: u8, value: Cid) -> Result<(Arc<Node>, Option<Cid>)> {
    let (mut entries, mut children) = (node.entries.clone(), node.children.clone());
    let previous = match node.find(key) {
        Ok(at) => Some(std::mem::replace(&mut entries[at].value, value)),
        Err(at) if node.level == height => {
            let (left, right) = match children[at].node()? {
                Some(child) => split(&child, key)?,
                None => (None, None),
            };
            entries.insert(at, Entry { key: key.clone(), value });
            children[at] = left.into();
            children.insert(at + 1, right.into());
            None
        }
        Err(at) => {
            let (child, previous) = match children[at].node()? {
                Some(child) => put(&child, key, height, value)?,
                None => {
                    let leaf = single(key, height, value, Child::Empty, Child::Empty);
                    match lift(Child::Node(leaf), height, node.level - 1) {
                        Child::Node(node) => (node, None),
                        _ => return Ok((node.clone(), None)),
                    }
                }
            };
            children[at] = Child::Node(child);
            previous
        }
    };
    Ok((Node::new(node.level, entries, children), previous))
}

/// The parts of a subtree before and after a key.
type Sides = (Option<Arc<Node>>, Option<Arc<Node>>);

/// Splits a subtree that does not contain `key` into the parts before and after it.
fn split(node: &Arc<Node>, key: &str) -> Result<Sides> {
    let at = match node.find(key) {
        Ok(at) | Err(at) => at,
    };
    let (left, right) = match node.children[at].node()? {
        Some(child) => split(&child, key)?,
        None => (None, None),
    };
    let mut before = node.children[..at].to_vec();
    before.push(left.into());
    let mut after = vec![right.into()];
    after.extend_from_slice(&node.children[at + 1..]);
    Ok((
        Node::unless_empty(node.level, node.entries[..at].to_vec(), before),
        Node::unless_empty(node.level, node.entries[at..].to_vec(), after),
    ))
}

/// The root of the tree without `key`, and the removed value. `None` if the tree does not contain the key.
pub(crate) fn delete_root(root: &Arc<Node>, key: &str) -> Result<Option<(Option<Arc<Node>>, Cid)>> {
    let Some((root, value)) = delete(root, key)? else { return Ok(None) };
    let mut root = root;
    // A root without keys is replaced by its only subtree.
    while let Some(node) = &root {
        if !node.entries.is_empty() {
            break;
        }
        root = node.children[0].node()?;
    }
    Ok(Some((root, value)))
}

fn delete(node: &Arc<Node>, key: &str) -> Result<Option<(Option<Arc<Node>>, Cid)>> {
    let (mut entries, mut children) = (node.entries.clone(), node.children.clone());
    let value = match node.find(key) {
        Ok(at) => {
            let value = entries.remove(at).value;
            let right = children.remove(at + 1);
            children[at] = merge(&children[at], &right)?;
            value
        }
        Err(at) => {
            let Some(child) = node.children[at].node()? else { return Ok(None) };
            let Some((child, value)) = delete(&child, key)? else { return Ok(None) };
            children[at] = child.into();
            value
        }
    };
    Ok(Some((Node::unless_empty(node.level, entries, children), value)))
}

/// Merges two neighbouring subtrees of the same level.
fn merge(left: &Child, right: &Child) -> Result<Child> {
    if left.is_empty() {
        return Ok(right.clone());
    }
    if right.is_empty() {
        return Ok(left.clone());
    }
    let (Some(a), Some(b)) = (left.node()?, right.node()?) else { return Ok(Child::Empty) };
    let (last, head) = a.children.split_last().map_or((&Child::Empty, &[][..]), |(last, head)| (last, head));
    let mut children = head.to_vec();
    children.push(merge(last, &b.children[0])?);
    children.extend_from_slice(&b.children[1..]);
    let entries = a.entries.iter().chain(&b.entries).cloned().collect();
    Ok(Child::Node(Node::new(a.level, entries, children)))
}
