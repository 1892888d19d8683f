//! Counting what a repository contains.

use pds_repo::mst::Item;
use pds_store::{account::Account, blob, repo};

use super::{Actors, Counts, LoadError};

impl Actors {
    /// Counts what the repository of an account contains, for a reader at `address`. Looks at all of it once for each revision.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if too many readers wait.
    pub async fn counts(&self, account: &Account, address: &str) -> Result<Counts, LoadError> {
        let (did, id) = (&account.did, account.id);
        let missing = || LoadError::Missing(did.clone());
        let rev = repo::root(&self.parts().db, id).await?.ok_or_else(missing)?.head.rev;
        if let Some((known, counts)) = self.inner().counts.get(&id).await
            && known == rev
        {
            return Ok(counts);
        }
        let view = self.view(id, did, address).await?;
        let rev = view.root.head.rev;
        let (tree, snapshot) = (view.tree, view.snapshot);
        drop(snapshot);
        let nodes = self.search(tree.clone(), address, |tree| {
            tree.preorder().filter(|item| matches!(item, Item::Node(..))).count()
        });
        let nodes = nodes.await?;
        let turn = self.turn(address).await?;
        let blobs = blob::expected(&self.parts().db, id).await?;
        drop(turn);
        let blocks = u64::try_from(1 + nodes + tree.len()).unwrap_or(u64::MAX);
        let counts = Counts { blocks, blobs };
        self.inner().counts.insert(id, (rev, counts)).await;
        Ok(counts)
    }
}
