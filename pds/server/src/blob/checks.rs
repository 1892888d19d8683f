//! Which accounts' objects were checked recently. A check sends a request per object to the blob store.

use std::{fmt, sync::Arc, time::Duration};

use pds_repo::Cid;
use pds_store::AccountId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long the result of a check is used.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Maximum number of accounts whose objects are checked at once.
const ACCOUNTS: usize = 2;

/// Recent and running checks.
pub(super) struct Checks {
    recent: moka::future::Cache<(AccountId, Option<Cid>), ()>,
    turns: Arc<Semaphore>,
}

impl Default for Checks {
    fn default() -> Self {
        let recent = moka::future::Cache::builder().max_capacity(10_000).time_to_live(FRESH).build();
        Self { recent, turns: Arc::new(Semaphore::new(ACCOUNTS)) }
    }
}

impl Checks {
    /// Permission to check an account's objects from the one after `after` on. `None` if that was done recently or too many checks run.
    pub(super) async fn turn(&self, id: AccountId, after: Option<Cid>) -> Option<OwnedSemaphorePermit> {
        let turn = self.turns.clone().try_acquire_owned().ok()?;
        if self.recent.contains_key(&(id, after)) {
            return None;
        }
        self.recent.insert((id, after), ()).await;
        Some(turn)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checks({} recent)", self.recent.entry_count())
    }
}
