//! Reads a complete tree from the blocks of its nodes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Cid,
    mst::{
        Builder, Error, Tree,
        node::{Child, Node},
    },
};

impl Tree {
    /// Reads the tree with the given root. `block` returns the block of a node, or `None` if there is none. The tree must be the one that
    /// [`Tree::from_sorted`] builds from its records.
    ///
    /// `limit` is called for each node and each record with the number of records so far and the memory in bytes that they and the open nodes
    /// take: it ends the reading with an error. Keys of one node share their prefixes, so that a block takes up to 16 times its size.
    /// Nesting is limited, because the level decreases with each step down. Keys must ascend, so a subtree that occurs twice is refused.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Invalid`], or an error of `block` or `limit`.
    pub fn read<E: From<Error>>(
        root: &Cid,
        block: impl FnMut(&Cid) -> Result<Option<Bytes>, E>,
        limit: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut reading = Reading { block, limit, builder: Builder::default(), last: None, open_bytes: 0 };
        let node = reading.node(root, None)?;
        // Only the empty tree may have a root without keys.
        if node.entries.is_empty() && !node.children[0].is_empty() {
            return Err(Error::Invalid(*root).into());
        }
        reading.descend(&node)?;
        let tree = Self::built(reading.builder);
        if tree.root() == *root { Ok(tree) } else { Err(Error::Invalid(*root).into()) }
    }
}

struct Reading<B, L> {
    block: B,
    limit: L,
    /// The records that were read so far.
    builder: Builder,
    /// The key of the last one.
    last: Option<Arc<str>>,
    /// Memory of the nodes on the path to it, in bytes.
    open_bytes: usize,
}

impl<B, L, E> Reading<B, L>
where
    B: FnMut(&Cid) -> Result<Option<Bytes>, E>,
    L: FnMut(usize, usize) -> Result<(), E>,
    E: From<Error>,
{
    fn node(&mut self, cid: &Cid, level: Option<u8>) -> Result<Arc<Node>, E> {
        let block = (self.block)(cid)?.ok_or(Error::Missing(*cid))?;
        let node = Node::decode(*cid, &block, level)?;
        self.open_bytes += node.memory_bytes();
        self.check_limit()?;
        Ok(node)
    }

    /// Appends the records of `node` and its subtrees.
    fn descend(&mut self, node: &Node) -> Result<(), E> {
        for (at, child) in node.children.iter().enumerate() {
            if let Some(entry) = at.checked_sub(1).map(|before| &node.entries[before]) {
                if self.last.as_ref().is_some_and(|last| last.as_bytes() >= entry.key.as_bytes()) {
                    return Err(Error::Invalid(node.cid()).into());
                }
                self.builder.push(entry.key.clone(), entry.value);
                self.last = Some(entry.key.clone());
                self.check_limit()?;
            }
            if let Child::Stub(cid) = child {
                let level = node.level.checked_sub(1).ok_or(Error::Invalid(node.cid()))?;
                let below = self.node(cid, Some(level))?;
                // A node without keys must have a subtree.
                if below.entries.is_empty() && below.children[0].is_empty() {
                    return Err(Error::Invalid(**cid).into());
                }
                self.descend(&below)?;
            }
        }
        self.open_bytes -= node.memory_bytes();
        Ok(())
    }

    fn check_limit(&mut self) -> Result<(), E> {
        (self.limit)(self.builder.len(), self.builder.memory_bytes() + self.open_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::mst::node::{Entry, height};

    /// `n` entries of `level`, in order.
    fn entries(level: u8, n: usize) -> Vec<Entry> {
        let keys = (0..).map(|n| Arc::<str>::from(format!("com.example.record/{n:07}")));
        let entry = |key| Entry { key, value: Cid::raw(b"") };
        keys.filter(|key| height(key) == level).take(n).map(entry).collect()
    }

    fn read(nodes: &[&Arc<Node>]) -> Result<Tree, Error> {
        let blocks: HashMap<Cid, Bytes> = nodes.iter().map(|node| (node.cid(), Bytes::from(node.encode()))).collect();
        Tree::read(&nodes[0].cid(), |cid| Ok::<_, Error>(blocks.get(cid).cloned()), |_, _| Ok(()))
    }

    fn leaf(entries: Vec<Entry>) -> Arc<Node> {
        let children = vec![Child::Empty; entries.len() + 1];
        Node::new(0, entries, children)
    }

    #[test]
    fn a_tree_reads_back_from_its_nodes_alone() {
        for n in [0, 1, 7, 3_000] {
            let records = (0..n).map(|n| (Arc::from(format!("com.example.record/{n:07}")), Cid::raw(&[n as u8])));
            let tree = Tree::from_sorted(records);
            let nodes: HashMap<Cid, Bytes> = tree
                .preorder()
                .filter_map(|item| match item {
                    crate::mst::Item::Node(cid, block) => Some((cid, block)),
                    crate::mst::Item::Record(..) => None,
                })
                .collect();
            let found = Tree::read(&tree.root(), |cid| Ok::<_, Error>(nodes.get(cid).cloned()), |_, _| Ok(())).unwrap();
            assert!(found.records().eq(tree.records()));
            assert_eq!((found.root(), found.len(), found.records().count()), (tree.root(), n, n));
            for gone in nodes.keys() {
                let lacking = |cid: &Cid| Ok::<_, Error>(nodes.get(cid).filter(|_| cid != gone).cloned());
                assert_eq!(Tree::read(&tree.root(), lacking, |_, _| Ok(())).unwrap_err(), Error::Missing(*gone));
                if n > 1_000 {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_tree_that_no_records_give_is_refused() {
        let invalid = |node: &Arc<Node>| Error::Invalid(node.cid());
        let (low, high) = (leaf(entries(0, 1)), entries(1, 1));

        let twice = vec![Child::Node(low.clone()), Child::Node(low.clone())];
        let root = Node::new(1, high.clone(), twice);
        assert_eq!(read(&[&root, &low]).unwrap_err(), invalid(&low), "a subtree at two places");

        let empty = leaf(Vec::new());
        let root = Node::new(1, high.clone(), vec![Child::Node(empty.clone()), Child::Empty]);
        assert_eq!(read(&[&root, &empty]).unwrap_err(), invalid(&empty), "a subtree without keys");

        let root = Node::new(1, Vec::new(), vec![Child::Node(low.clone())]);
        assert_eq!(read(&[&root, &low]).unwrap_err(), invalid(&root), "a root that only leads to another");

        let (before, after) = (entries(0, 2).swap_remove(0), entries(0, 2).swap_remove(1));
        let unsorted = leaf(vec![after, before]);
        assert_eq!(read(&[&unsorted]).unwrap_err(), invalid(&unsorted), "keys that descend");

        // One record at the level, the node below at the side where its key belongs.
        let over = |level, below: &Arc<Node>, wrong: bool| {
            let entry = entries(level, 1);
            let mut children = vec![Child::Empty, Child::Empty];
            children[usize::from((below.entries[0].key > entry[0].key) != wrong)] = Child::Node(below.clone());
            Node::new(level, entry, children)
        };
        assert!(read(&[&over(1, &low, false), &low]).is_ok());
        let root = over(1, &low, true);
        assert!(matches!(read(&[&root, &low]).unwrap_err(), Error::Invalid(_)), "a subtree at the wrong side");
        let misplaced = leaf(high);
        let root = over(2, &misplaced, false);
        assert!(read(&[&root, &misplaced]).is_ok(), "a key at its level");
        let root = over(3, &misplaced, false);
        assert_eq!(read(&[&root, &misplaced]).unwrap_err(), invalid(&misplaced), "a key below its level");
    }
}
