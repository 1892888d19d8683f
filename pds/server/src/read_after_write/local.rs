//! What an account has written after the revision that the app view knows.

use serde_json::Value;

/// New records of an account that answers of the app view may need.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// The profile, if it was written.
    pub profile: Option<LocalRecord>,
    /// Posts, in the order in which they were written.
    pub posts: Vec<LocalRecord>,
}

/// A new record.
#[derive(Clone, Debug)]
pub struct LocalRecord {
    /// Its AT URI.
    pub uri: String,
    /// Its CID.
    pub cid: String,
    /// When it was written, in microseconds since 1970.
    pub written_us: i64,
    /// The same as text, in the protocol's form.
    pub indexed_at: String,
    /// The record.
    pub value: Value,
}

impl Local {
    /// Whether there is nothing to add.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.profile.is_none() && self.posts.is_empty()
    }

    /// How far the app view is behind at `now_us`, in milliseconds.
    #[must_use]
    pub fn lag_ms(&self, now_us: i64) -> Option<i64> {
        let oldest = self.profile.iter().chain(&self.posts).map(|record| record.written_us).min()?;
        Some((now_us - oldest).max(0) / 1_000)
    }
}
