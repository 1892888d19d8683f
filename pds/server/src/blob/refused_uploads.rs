//! Accounts that have used up their limit of uploads.
//!
//! An upload that a record waits for does not count towards the limit, and only its bytes show whether one does. So an upload is counted
//! after it was stored. A refused account is remembered, so that its next upload is refused before the body is read.

use std::{fmt, time::Duration};

use pds_store::{AccountId, Db, blob};

/// The period of the longest limit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the answer counts that no record of an account waits for a blob: the question costs a look-up per blob of the account.
const COMPLETE: Duration = Duration::from_secs(10);

/// Accounts whose uploads are refused.
pub(super) struct RefusedUploads {
    /// Until when; microseconds.
    until: moka::future::Cache<AccountId, i64>,
    /// Those that had no missing blobs a moment ago.
    complete: moka::future::Cache<AccountId, ()>,
}

impl Default for RefusedUploads {
    fn default() -> Self {
        Self {
            until: moka::future::Cache::builder().max_capacity(10_000).time_to_live(LONGEST).build(),
            complete: moka::future::Cache::builder().max_capacity(10_000).time_to_live(COMPLETE).build(),
        }
    }
}

impl RefusedUploads {
    pub(super) async fn insert(&self, id: AccountId, until_us: i64) {
        self.until.insert(id, until_us).await;
    }

    /// Until when an account is refused, if it is at `now_us`.
    pub(super) async fn until(&self, id: AccountId, now_us: i64) -> Option<i64> {
        self.until.get(&id).await.filter(|until| *until > now_us)
    }

    /// Whether records of a refused account wait for blobs.
    pub(super) async fn any_missing(&self, db: &Db, id: AccountId) -> pds_store::Result<bool> {
        if self.complete.get(&id).await.is_some() {
            return Ok(false);
        }
        let missing = blob::any_missing(db, id).await?;
        if !missing {
            self.complete.insert(id, ()).await;
        }
        Ok(missing)
    }
}

impl fmt::Debug for RefusedUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefusedUploads({})", self.until.entry_count())
    }
}
