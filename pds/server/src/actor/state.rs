//! A repository that can be written to.

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
