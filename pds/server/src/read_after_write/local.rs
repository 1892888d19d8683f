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
    /// When it was written, in the protocol's form.
    pub indexed_at: String,
    /// The record.
    pub value: Value,
}
