//! A repository that can be written to, and what one contains.

use std::sync::Arc;

use pds_crypto::SigningKey;
use pds_repo::Repo;

/// A repository with its key, as this replica last saw it. Cheap to clone.
#[derive(Clone)]
pub struct Actor {
    /// Tree and head.
    pub repo: Repo,
    /// Signs its commits.
    pub key: Arc<SigningKey>,
}

/// What a repository contains at one revision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Blocks of an export: the commit, the nodes of the tree, and the records. Two records with the same content count twice.
    pub blocks: u64,
    /// Different blobs that records refer to.
    pub blobs: u64,
}
