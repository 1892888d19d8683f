//! Which accounts' objects were looked for lately: that asks the blob store for each of them.

use std::{fmt, sync::Arc, time::Duration};

use pds_repo::Cid;
use pds_store::AccountId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long the answer about an account's objects is good.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Accounts whose objects are looked for at once.
const ACCOUNTS: usize = 2;

/// Which accounts' objects were looked for lately, and how many may be at once.
pub struct Checks {
    lately: moka::future::Cache<(AccountId, Option<Cid>), ()>,
    turns: Arc<Semaphore>,
}

impl Default for Checks {
    fn default() -> Self {
        let lately = moka::future::Cache::builder().max_capacity(10_000).time_to_live(FRESH).build();
        Self { lately, turns: Arc::new(Semaphore::new(ACCOUNTS)) }
    }
}

impl Checks {
    /// The right to look for an account's objects from the one after `after` on, unless that was done lately or others have it.
    pub async fn turn(&self, id: AccountId, after: Option<Cid>) -> Option<OwnedSemaphorePermit> {
        let turn = self.turns.clone().try_acquire_owned().ok()?;
        if self.lately.contains_key(&(id, after)) {
            return None;
        }
        self.lately.insert((id, after), ()).await;
        Some(turn)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checks({} lately)", self.lately.entry_count())
    }
}
