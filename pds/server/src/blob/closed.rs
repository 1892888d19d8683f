//! Which accounts have uploaded as much as they may for now.
//!
//! Whether an upload counts is known only when its bytes are: those that a record waits for do not. So an upload draws from the limit when
//! it is stored, and who was refused is remembered, so that the next one is refused before its body is read.

use std::{fmt, time::Duration};

use pds_store::AccountId;

/// As long as the longest limit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Accounts, and until when each is refused; microseconds.
pub struct Closed(moka::future::Cache<AccountId, i64>);

impl Default for Closed {
    fn default() -> Self {
        Self(moka::future::Cache::builder().max_capacity(10_000).time_to_live(LONGEST).build())
    }
}

impl Closed {
    /// Uploads of an account are refused until then.
    pub async fn close(&self, id: AccountId, until_us: i64) {
        self.0.insert(id, until_us).await;
    }

    /// Until when an account is refused, if it still is.
    pub async fn until(&self, id: AccountId, now_us: i64) -> Option<i64> {
        self.0.get(&id).await.filter(|until| *until > now_us)
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Closed({})", self.0.entry_count())
    }
}
