//! A repository from its rows: one ordered scan, then the root is compared with the signed one.

use std::{sync::Arc, time::Duration};

use pds_crypto::SigningKey;
use pds_repo::{
    Cid, Head, Repo,
    mst::{Builder, Tree},
};
use pds_store::{AccountId, Snapshot, background, repo::Root};
use pds_syntax::Did;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{Actor, Slot, seal_purpose};
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
    /// Too many wait for repositories to be loaded.
    #[error("too many repositories are being loaded")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
}

/// Loads at once: each has all entries of a repository in memory, and keeps a core busy.
const AT_ONCE: usize = 1;
/// Readers that may wait for a load, of all repositories and of one.
const WAITING: usize = 256;
/// How long they wait.
const TURN: Duration = Duration::from_secs(10);

/// How many repositories may be loaded for readers, and how many readers may wait for it.
#[derive(Clone)]
pub(super) struct Turns {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

/// Loads a repository with its key, head and tree from one snapshot, for a write.
pub async fn load(app: &App, id: AccountId, did: &Did) -> Result<Actor, LoadError> {
    let mut snapshot = app.db.snapshot_for_write().await?;
    let missing = || LoadError::Missing(did.clone());
    let loaded = snapshot.load(did).await?.ok_or_else(missing)?;
    let head = loaded.root.ok_or_else(missing)?.head;
    let slot = app.actors.slot(id).await;
    let tree = match slot.at(&head) {
        Some(tree) => tree,
        None => build(&mut snapshot, id, did, &head).await?,
    };
    drop(snapshot);
    // The writer's tree takes its place.
    slot.read().take();
    let key = app.keys.seal.open(&loaded.signing_key, &seal_purpose(did));
    let key = key
        .and_then(|bytes| SigningKey::from_bytes(&bytes))
        .map_err(|source| LoadError::Key { did: did.clone(), source })?;
    Ok(Actor { repo: Repo { did: did.clone(), head, tree }, key: Arc::new(key) })
}

/// A repository at one moment.
#[derive(Debug)]
pub struct View {
    /// Of that moment.
    pub snapshot: Snapshot,
    /// The signed commit.
    pub root: Root,
    /// All paths.
    pub tree: Tree,
}

/// What readers see of a repository. One that is not in memory is loaded once for all who wait, and stays in memory.
pub async fn view(app: &App, id: AccountId, did: &Did) -> Result<View, LoadError> {
    if let Some(view) = known(app, id, did).await? {
        return Ok(view);
    }
    let _place = app.actors.loads.waiting.clone().try_acquire_owned().map_err(|_| LoadError::Busy)?;
    let slot = app.actors.slot(id).await;
    let _loading = timeout(TURN, slot.loading.lock()).await.map_err(|_| LoadError::Busy)?;
    if let Some(view) = seen(app, &slot, id, did).await? {
        return Ok(view);
    }
    let running = timeout(TURN, app.actors.loads.running.acquire()).await.map_err(|_| LoadError::Busy)?;
    let (mut snapshot, root) = look(app, id, did).await?;
    let tree = build(&mut snapshot, id, did, &root.head).await?;
    drop(running);
    *slot.read() = Some((root.head, tree.clone()));
    app.actors.weigh(id, &slot, tree.len()).await;
    Ok(View { snapshot, root, tree })
}

/// The view, if the tree is in memory; else the snapshot is given back, for those who wait hold nothing.
async fn known(app: &App, id: AccountId, did: &Did) -> Result<Option<View>, LoadError> {
    let (snapshot, root) = look(app, id, did).await?;
    let tree = app.actors.at(id, &root.head).await;
    Ok(tree.map(|tree| View { snapshot, root, tree }))
}

/// The same by a slot in hand, which may have left the cache.
async fn seen(app: &App, slot: &Slot, id: AccountId, did: &Did) -> Result<Option<View>, LoadError> {
    let (snapshot, root) = look(app, id, did).await?;
    Ok(slot.at(&root.head).map(|tree| View { snapshot, root, tree }))
}

async fn look(app: &App, id: AccountId, did: &Did) -> Result<(Snapshot, Root), LoadError> {
    let mut snapshot = app.db.snapshot().await?;
    let root = snapshot.root(id).await?.ok_or_else(|| LoadError::Missing(did.clone()))?;
    Ok((snapshot, root))
}

/// The tree of a snapshot's rows, if it is the one that was signed.
async fn build(snapshot: &mut Snapshot, id: AccountId, did: &Did, head: &Head) -> Result<Tree, LoadError> {
    let builder = snapshot.entries(id, Builder::default()).await?;
    let (tree, found) = background::run(move || {
        let tree = Tree::built(builder);
        let found = tree.root();
        (tree, found)
    })
    .await;
    match found == head.data {
        true => Ok(tree),
        false => Err(LoadError::Root { did: did.clone(), found, signed: head.data }),
    }
}

/// Work that keeps a core busy for long, where it keeps nobody waiting.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
