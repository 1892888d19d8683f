//! Service tokens and opened keys that were used a moment ago.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use pds_crypto::SigningKey;
use pds_store::AccountId;

/// How long a token is used for further calls. It stays valid for as long again.
const REUSED: Duration = Duration::from_secs(30);
/// How long an opened key is kept without being used.
const KEPT: Duration = Duration::from_secs(600);
const TOKENS: u64 = 50_000;
const KEYS: u64 = 10_000;

pub(super) struct Recent {
    /// By account, and by service and method.
    pub(super) tokens: Cache<(AccountId, Arc<str>), Arc<str>>,
    pub(super) keys: Cache<AccountId, Arc<Opened>>,
}

/// A key, and the sealed form that it was opened from.
pub(super) struct Opened {
    pub(super) sealed: Vec<u8>,
    pub(super) key: Arc<SigningKey>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            tokens: Cache::builder().max_capacity(TOKENS).time_to_live(REUSED).build(),
            keys: Cache::builder().max_capacity(KEYS).time_to_idle(KEPT).build(),
        }
    }
}
