//! Decentralized identifiers.

use std::sync::Arc;

use crate::text::text_type;

/// A DID of any method, at most 2048 characters. Source: <https://atproto.com/specs/did>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(Arc<str>);
text_type!(Did, "did");

impl Did {
    /// The method, for example `plc` or `web`.
    pub fn method(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The part after `did:<method>:`.
    pub fn method_specific(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }

    pub(crate) fn check(text: &str) -> Result<(), &'static str> {
        if text.len() > 2048 {
            return Err("must have at most 2048 characters");
        }
        let rest = text.strip_prefix("did:").ok_or("must begin with \"did:\"")?;
        let (method, id) = rest.split_once(':').ok_or("must have a method and an identifier: did:method:identifier")?;
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err("the method must consist of lower-case letters");
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._:%-".contains(&b);
        if id.is_empty() || !id.bytes().all(legal) {
            return Err("the identifier may contain only letters, digits and . _ : % -");
        }
        if id.ends_with([':', '%']) {
            return Err("must not end with \":\" or \"%\"");
        }
        Ok(())
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}
