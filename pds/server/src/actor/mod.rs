//! Repositories at work: loading, writing, one writer at a time per repository and replica.
//!
//! No replica owns a repository. The lock here only saves work; what decides is the compare-and-swap in the database.

mod committer;
mod load;
pub mod prepare;
pub mod write;

use std::{fmt, sync::Arc, time::Duration};

use pds_crypto::SigningKey;
use pds_repo::Repo;
use pds_store::AccountId;
use pds_syntax::Did;
use tokio::sync::Mutex;

pub use committer::{Committer, SubmitError};
pub use load::{LoadError, load, tree};

/// The name under which an account's signing key is sealed.
pub(crate) fn seal_purpose(did: &Did) -> String {
    format!("repository signing key of {did}")
}

/// How many repositories are kept in memory, and how long without a write.
const KEPT: u64 = 2_000;
const IDLE: Duration = Duration::from_secs(600);

/// A repository with its key, as this replica last saw it.
#[derive(Clone)]
pub struct Actor {
    /// Tree and head.
    pub repo: Repo,
    /// Signs its commits.
    pub key: Arc<SigningKey>,
}

/// The repositories that this replica has in memory.
#[derive(Clone)]
pub struct Actors(moka::future::Cache<AccountId, Arc<Mutex<Option<Actor>>>>);

impl Default for Actors {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(KEPT).time_to_idle(IDLE).build())
    }
}

impl Actors {
    /// The place of a repository; whoever holds its lock writes.
    async fn slot(&self, id: AccountId) -> Arc<Mutex<Option<Actor>>> {
        self.0.get_with(id, async { Arc::default() }).await
    }

    /// The repository as it is in memory, unless it is not or somebody is writing to it.
    pub(crate) async fn peek(&self, id: AccountId) -> Option<Actor> {
        self.0.get(&id).await?.try_lock().ok()?.clone()
    }
}

impl fmt::Debug for Actors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actors({})", self.0.entry_count())
    }
}
