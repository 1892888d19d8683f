//! `at://` URIs.

use std::sync::Arc;

use crate::{AtIdentifier, Did, Nsid, RecordKey, text::text_type};

/// An AT URI in the restricted form of the lexicon format `at-uri`: authority, optional collection, optional record key.
/// At most 8 KiB. Source: <https://atproto.com/specs/at-uri-scheme>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AtUri(Arc<str>);
text_type!(AtUri, "at-uri");

impl AtUri {
    /// The URI of a record.
    pub fn record(did: &Did, collection: &Nsid, rkey: &RecordKey) -> Self {
        Self(format!("at://{did}/{collection}/{rkey}").into())
    }

    /// The DID or handle.
    pub fn authority(&self) -> &str {
        self.part(0).unwrap_or_default()
    }

    /// The collection, if the URI has one. Always a valid NSID.
    pub fn collection(&self) -> Option<&str> {
        self.part(1)
    }

    /// The record key, if the URI has one. Always valid.
    pub fn rkey(&self) -> Option<&str> {
        self.part(2)
    }

    fn part(&self, n: usize) -> Option<&str> {
        self.0.strip_prefix("at://").and_then(|rest| rest.split('/').nth(n))
    }

    fn check(text: &str) -> Result<(), &'static str> {
        if text.len() > 8 * 1024 {
            return Err("must have at most 8 KiB");
        }
        let rest = text.strip_prefix("at://").ok_or("must begin with \"at://\"")?;
        let mut parts = rest.split('/');
        let authority = parts.next().unwrap_or_default();
        authority.parse::<AtIdentifier>().map_err(|_| "the authority must be a DID or a handle")?;
        if let Some(collection) = parts.next() {
            Nsid::check(collection).map_err(|_| "the first path part must be an NSID")?;
        }
        if let Some(rkey) = parts.next() {
            RecordKey::check(rkey).map_err(|_| "the second path part must be a record key")?;
        }
        if parts.next().is_some() {
            return Err("must have at most two path parts");
        }
        Ok(())
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}
