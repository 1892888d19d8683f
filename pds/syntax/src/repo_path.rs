//! The key of a record in its repository's tree.

use std::sync::Arc;

use crate::{Nsid, RecordKey, text::text_type};

/// `collection/rkey`, compared bytewise as the tree does.
///
/// It is one text on purpose: comparing (collection, rkey) pairs gives another order, since `-` and `.` sort before `/`.
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

    /// The part before the slash; a valid NSID.
    pub fn collection(&self) -> &str {
        self.0.split_once('/').map_or("", |(collection, _)| collection)
    }

    /// The part behind the slash; a valid record key.
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
