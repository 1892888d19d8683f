//! Namespaced identifiers of lexicons.

use std::sync::Arc;

use crate::text::text_type;

/// An NSID, at most 317 characters. Source: <https://atproto.com/specs/nsid>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nsid(Arc<str>);
text_type!(Nsid, "nsid");

impl Nsid {
    /// The last part, for example `post` of `app.bsky.feed.post`.
    pub fn name(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The domain that owns the NSID, in DNS order: `feed.bsky.app` for `app.bsky.feed.post`.
    pub fn authority(&self) -> String {
        let mut parts: Vec<&str> = self.0.split('.').collect();
        parts.pop();
        parts.reverse();
        parts.join(".")
    }

    /// Whether the domain is in lower case, as names of collections must be: `Com.Example.thing` and `com.example.thing` are the same name.
    pub fn is_canonical(&self) -> bool {
        let domain = self.0.rsplit_once('.').map_or("", |(domain, _)| domain);
        !domain.bytes().any(|b| b.is_ascii_uppercase())
    }

    pub(crate) fn check(text: &str) -> Result<(), &'static str> {
        if text.len() > 317 {
            return Err("must have at most 317 characters");
        }
        let (domain, name) = text.rsplit_once('.').ok_or("must have at least three parts")?;
        let mut labels = 0;
        for label in domain.split('.') {
            if label.is_empty() || label.len() > 63 {
                return Err("each part must have 1 to 63 characters");
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err("parts of the domain may contain only letters, digits and hyphens");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err("a part must not begin or end with a hyphen");
            }
            labels += 1;
        }
        if labels < 2 {
            return Err("must have at least three parts");
        }
        if domain.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("the first part must not begin with a digit");
        }
        if name.is_empty() || name.len() > 63 || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("the name must have 1 to 63 letters and digits");
        }
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("the name must not begin with a digit");
        }
        Ok(())
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}
