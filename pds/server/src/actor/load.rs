//! A repository from its rows: one ordered scan, then the root is compared with the signed one.

use std::sync::Arc;

use pds_crypto::SigningKey;
use pds_repo::{Cid, Head, Repo, mst::Tree};
use pds_store::{AccountId, Snapshot};
use pds_syntax::Did;

use super::{Actor, seal_purpose};
use crate::app::App;

/// Why a repository could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is none.
    #[error("there is no repository of {0}")]
    Missing(Did),
    /// The rows do not make the tree that was signed.
    #[error("the records of {did} make the root {found}, the signed one is {signed}")]
    Root {
        /// Whose.
        did: Did,
        /// Of the rows.
        found: Cid,
        /// Of the commit.
        signed: Cid,
    },
    /// The signing key does not open.
    #[error("open the signing key of {did}")]
    Key {
        /// Whose.
        did: Did,
        /// Why.
        #[source]
        source: pds_crypto::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Loads a repository with its key, head and tree from one snapshot.
pub async fn load(app: &App, id: AccountId, did: &Did) -> Result<Actor, LoadError> {
    let mut snapshot = app.db.snapshot().await?;
    let missing = || LoadError::Missing(did.clone());
    let loaded = snapshot.load(did).await?.ok_or_else(missing)?;
    let head = loaded.root.ok_or_else(missing)?.head;
    let tree = build(&mut snapshot, id).await?;
    drop(snapshot);
    let found = tree.root();
    if found != head.data {
        return Err(LoadError::Root { did: did.clone(), found, signed: head.data });
    }
    let key = app.keys.seal.open(&loaded.signing_key, &seal_purpose(did));
    let key = key
        .and_then(|bytes| SigningKey::from_bytes(&bytes))
        .map_err(|source| LoadError::Key { did: did.clone(), source })?;
    Ok(Actor { repo: Repo { did: did.clone(), head, tree }, key: Arc::new(key) })
}

/// The tree at `head`: the one in memory if it stands there, else from the snapshot that `head` was read in.
pub async fn tree(
    app: &App,
    snapshot: &mut Snapshot,
    id: AccountId,
    did: &Did,
    head: &Head,
) -> Result<Tree, LoadError> {
    if let Some(actor) = app.actors.at(id, head).await {
        return Ok(actor.repo.tree);
    }
    let tree = build(snapshot, id).await?;
    match tree.root() {
        found if found == head.data => Ok(tree),
        found => Err(LoadError::Root { did: did.clone(), found, signed: head.data }),
    }
}

async fn build(snapshot: &mut Snapshot, id: AccountId) -> pds_store::Result<Tree> {
    Ok(Tree::from_sorted(snapshot.entries(id).await?))
}
