//! Paths of records in a repository.

use std::sync::Arc;

use crate::{Nsid, RecordKey, text::text_type};

/// `collection/rkey`: the key of a record in the tree of its repository.
///
/// Compared bytewise, as the tree requires. Comparison of pairs of collection and record key gives another order, because `-` and `.` sort
/// before `/`.
/// Source: <https://atproto.com/specs/repository#mst-structure>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Arc<str>);
text_type!(RepoPath, "repository path");

impl RepoPath {
    /// The path of a record.
    pub fn new(collection: &Nsid, rkey: &RecordKey) -> Self {
        let mut text = String::with_capacity(collection.as_str().len() + 1 + rkey.as_str().len());
        text.push_str(collection.as_str());
        text.push('/');
        text.push_str(rkey.as_str());
        Self(text.into())
    }

    /// The part before the slash. Always a valid NSID.
    pub fn collection(&self) -> &str {
        self.0.split_once('/').map_or("", |(collection, _)| collection)
    }

    /// The part after the slash. Always a valid record key.
    pub fn rkey(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, rkey)| rkey)
    }

    fn check(text: &str) -> Result<(), &'static str> {
        let (collection, rkey) = text.split_once('/').ok_or("must be collection/rkey")?;
        Nsid::check(collection)?;
        RecordKey::check(rkey)
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}
