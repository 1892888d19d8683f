//! What readers see of a repository.
//!
//! A repository that is not in memory is loaded once for all readers that wait for it, one repository at a time, and stays in memory
//! ([ADR 20](../../../../docs/adr/0020-what-clients-may-take.md)).

use std::{sync::Arc, time::Duration};

use pds_repo::mst::Tree;
use pds_store::{AccountId, Snapshot, background, repo::Root};
use pds_syntax::Did;
use tokio::time::timeout;

use super::{
    Actors, LoadError, load,
    slot::{Loading, Slot},
};
use crate::{
    rate_limit::Turn,
    task::{run_blocking, run_to_end},
};

/// How long a reader waits for loads of this repository and of others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Records of a tree that is searched in a fraction of a millisecond.
const SMALL: usize = 500;

/// A repository at one moment.
#[derive(Debug)]
pub struct View {
    /// The database at that moment.
    pub snapshot: Snapshot,
    /// The head with its signed commit.
    pub root: Root,
    /// The paths and CIDs of all records.
    pub tree: Tree,
}

/// What a reader has got by waiting.
enum Waited {
    Loaded(Box<View>),
    Turn(Turn, Loading),
}

impl Actors {
    /// The repository as the database has it now, for a reader at `address`.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if it is not in memory and too many readers wait for loads, or for too long.
    pub async fn view(&self, id: AccountId, did: &Did, address: &str) -> Result<View, LoadError> {
        if let Some(view) = self.view_in_memory(id, did).await? {
            return Ok(view);
        }
        let slot = self.slot(id).await;
        let waited = timeout(PATIENCE, self.loaded_or_turn(&slot, id, did, address)).await;
        let (turn, loading) = match waited.map_err(|_| LoadError::Busy)?? {
            Waited::Loaded(view) => return Ok(*view),
            Waited::Turn(turn, loading) => (turn, loading),
        };
        // The turn goes with the load, which nobody can stop.
        let (this, did) = (self.clone(), did.clone());
        run_to_end(async move {
            let (_turn, _loading) = (turn, loading);
            let (snapshot, root) = this.root(id, &did).await?;
            let (snapshot, tree) = load::tree_for_reader(snapshot, id, &did, &root.head).await?;
            slot.set_readers_tree(root.head, tree.clone());
            this.weigh(id, &slot, tree.memory_bytes()).await;
            Ok(View { snapshot, root, tree })
        })
        .await
    }

    /// Number of readers that wait for their turn to load a repository.
    pub fn loads_waiting(&self) -> usize {
        self.inner().loads.running.waiting()
    }

    /// Waits until a reader's load has brought the tree into memory, or for the turn of `address` to load it. A reader begins to load only with its
    /// turn: whoever waits for a load never waits for the turn of another address.
    async fn loaded_or_turn(
        &self,
        slot: &Arc<Slot>,
        id: AccountId,
        did: &Did,
        address: &str,
    ) -> Result<Waited, LoadError> {
        loop {
            let loaded = slot.loaded();
            if let Some(view) = self.view_in_slot(slot, id, did).await? {
                return Ok(Waited::Loaded(Box::new(view)));
            }
            if slot.is_loading() {
                loaded.await;
                continue;
            }
            let turn = tokio::select! {
                () = loaded => continue,
                turn = self.inner().loads.running.next(address) => turn.ok_or(LoadError::Busy)?,
            };
            // A load of this repository may have ended or begun just before.
            if let Some(view) = self.view_in_slot(slot, id, did).await? {
                return Ok(Waited::Loaded(Box::new(view)));
            }
            if let Some(loading) = Loading::begin(slot) {
                return Ok(Waited::Turn(turn, loading));
            }
        }
    }

    /// Runs `search`, which goes through all nodes of `tree`, at a low priority. One tree is searched at a time, unless it is small; the addresses of
    /// readers take turns.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if too many readers wait for searches, or for too long.
    pub async fn search<T: Send + 'static>(
        &self,
        tree: Tree,
        address: &str,
        search: impl FnOnce(&Tree) -> T + Send + 'static,
    ) -> Result<T, LoadError> {
        if tree.len() <= SMALL {
            return Ok(run_blocking(move || search(&tree)).await);
        }
        let turn = self.turn(address).await?;
        // The turn goes with the search: a caller that gives up does not let the next one begin beside it.
        let searched = move || {
            let _turn = turn;
            search(&tree)
        };
        Ok(background::run(searched).await)
    }

    /// A turn at a list of records, for a reader at `address`. Addresses take turns, so that whoever asks for the slowest lists waits for himself.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if too many readers wait, or for too long.
    pub async fn list_turn(&self, address: &str) -> Result<Turn, LoadError> {
        let turn = timeout(PATIENCE, self.inner().lists.next(address)).await;
        turn.ok().flatten().ok_or(LoadError::Busy)
    }

    /// A turn at work whose cost grows with a repository, for a reader at `address`.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if too many readers wait, or for too long.
    pub async fn turn(&self, address: &str) -> Result<Turn, LoadError> {
        let turn = timeout(PATIENCE, self.inner().loads.searching.next(address)).await;
        turn.ok().flatten().ok_or(LoadError::Busy)
    }

    /// The view if the tree is in memory. If not, the snapshot is closed: a reader that waits holds no connection.
    async fn view_in_memory(&self, id: AccountId, did: &Did) -> Result<Option<View>, LoadError> {
        let (snapshot, root) = self.root(id, did).await?;
        let tree = self.tree_at(id, &root.head).await;
        Ok(tree.map(|tree| View { snapshot, root, tree }))
    }

    /// The view if the tree is in this slot, which may have left the cache.
    async fn view_in_slot(&self, slot: &Slot, id: AccountId, did: &Did) -> Result<Option<View>, LoadError> {
        let (snapshot, root) = self.root(id, did).await?;
        Ok(slot.tree_at(&root.head).map(|tree| View { snapshot, root, tree }))
    }

    async fn root(&self, id: AccountId, did: &Did) -> Result<(Snapshot, Root), LoadError> {
        let mut snapshot = self.parts().db.snapshot().await?;
        let root = snapshot.root(id).await?.ok_or_else(|| LoadError::Missing(did.clone()))?;
        Ok((snapshot, root))
    }
}
