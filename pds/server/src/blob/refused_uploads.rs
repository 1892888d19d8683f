//! Accounts that have used up their limit of uploads.
//!
//! An upload that a record waits for does not count towards the limit, and only its bytes show whether one does. So an upload is counted
//! after it was stored. A refused account is remembered, so that its next upload is refused before the body is read.

use std::{fmt, time::Duration};

use pds_store::AccountId;

/// The period of the longest limit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Accounts, and until when uploads of each are refused; microseconds.
pub(super) struct RefusedUploads(moka::future::Cache<AccountId, i64>);

impl Default for RefusedUploads {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(10_000).time_to_live(LONGEST).build())
    }
}

impl RefusedUploads {
    pub(super) async fn insert(&self, id: AccountId, until_us: i64) {
        self.0.insert(id, until_us).await;
    }

    /// Until when an account is refused, if it is at `now_us`.
    pub(super) async fn until(&self, id: AccountId, now_us: i64) -> Option<i64> {
        self.0.get(&id).await.filter(|until| *until > now_us)
    }
}

impl fmt::Debug for RefusedUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefusedUploads({})", self.0.entry_count())
    }
}
