//! A repository from its rows: one ordered scan makes the tree, whose root is compared with the signed one.

use std::sync::Arc;

use pds_repo::{
    Cid, Head, Repo,
    mst::{Builder, Tree},
};
use pds_store::{AccountId, Snapshot, background};
use pds_syntax::Did;

use super::{Actor, Actors, key, pace::Paced};

/// Why a repository could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The account has no repository.
    #[error("there is no repository of {0}")]
    Missing(Did),
    /// The rows do not make the tree that was signed.
    #[error("the records of {did} make the root {found}, the signed one is {signed}")]
    Root {
        /// The account.
        did: Did,
        /// The root that the rows make.
        found: Cid,
        /// The root in the commit.
        signed: Cid,
    },
    /// The signing key cannot be decrypted.
    #[error("open the signing key of {did}")]
    Key {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: pds_crypto::Error,
    },
    /// Too many readers wait for repositories to be loaded.
    #[error("too many repositories are being loaded")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

impl Actors {
    /// Loads a repository with its key, head and tree from one snapshot, for a write.
    ///
    /// # Errors
    /// Any of [`LoadError`] but [`LoadError::Busy`]: a writer does not wait for readers.
    pub async fn load(&self, id: AccountId, did: &Did) -> Result<Actor, LoadError> {
        let mut snapshot = self.parts().db.snapshot_for_write().await?;
        let missing = || LoadError::Missing(did.clone());
        let loaded = snapshot.load(did).await?.ok_or_else(missing)?;
        let head = loaded.root.ok_or_else(missing)?.head;
        let slot = self.slot(id).await;
        let tree = match slot.tree_at(&head) {
            Some(tree) => tree,
            None => tree(snapshot, id, did, &head, Builder::default(), |builder| builder).await?.1,
        };
        // The writer's tree takes its place.
        slot.drop_readers_tree();
        let key = key::open(&self.parts().seal, did, &loaded.signing_key);
        let key = key.map_err(|source| LoadError::Key { did: did.clone(), source })?;
        Ok(Actor { repo: Repo { did: did.clone(), head, tree }, key: Arc::new(key) })
    }
}

/// The tree of all records in the snapshot, and the snapshot, for a reader: with pauses.
///
/// # Errors
/// [`LoadError::Root`] if it is not the tree that was signed with `head`.
pub(super) async fn tree_for_reader(
    snapshot: Snapshot,
    id: AccountId,
    did: &Did,
    head: &Head,
) -> Result<(Snapshot, Tree), LoadError> {
    tree(snapshot, id, did, head, Paced::new(Builder::default()), |paced| paced.inner).await
}

/// `entries` takes the entries in, and `builder` is what it makes of them.
async fn tree<T: Extend<(Arc<str>, Cid)> + Send + 'static>(
    mut snapshot: Snapshot,
    id: AccountId,
    did: &Did,
    head: &Head,
    entries: T,
    builder: fn(T) -> Builder,
) -> Result<(Snapshot, Tree), LoadError> {
    let loading = async move {
        let builder = builder(snapshot.entries(id, entries).await?);
        let tree = Tree::built(builder);
        let root = tree.root();
        Ok::<_, LoadError>((snapshot, tree, root))
    };
    let (snapshot, tree, found) = background::drive(loading).await?;
    match found == head.data {
        true => Ok((snapshot, tree)),
        false => Err(LoadError::Root { did: did.clone(), found, signed: head.data }),
    }
}
