//! Handles, the DNS names of accounts.

use std::sync::Arc;

use crate::text::text_type;

/// A handle in lower case, at most 253 characters. Source: <https://atproto.com/specs/handle>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(Arc<str>);
text_type!(Handle, "handle");

/// Top-level domains that handles must not use. `.test` is allowed, for development and tests.
const DISALLOWED_TLDS: [&str; 8] = ["local", "arpa", "invalid", "localhost", "internal", "example", "alt", "onion"];

impl Handle {
    /// The handle that replaces a handle that does not resolve.
    pub const INVALID: &str = "handle.invalid";

    /// Whether the top-level domain is one that the specification disallows.
    pub fn is_disallowed_tld(&self) -> bool {
        self.0.rsplit('.').next().is_some_and(|tld| DISALLOWED_TLDS.contains(&tld))
    }

    /// The part before `suffix`, which begins with a dot. `None` if the handle does not end with it.
    pub fn label_under(&self, suffix: &str) -> Option<&str> {
        self.0.strip_suffix(suffix).filter(|label| !label.is_empty())
    }

    fn check(text: &str) -> Result<(), &'static str> {
        if text.len() > 253 {
            return Err("must have at most 253 characters");
        }
        let mut labels = 0;
        let mut last = "";
        for label in text.split('.') {
            let bytes = label.as_bytes();
            if bytes.is_empty() || bytes.len() > 63 {
                return Err("each part must have 1 to 63 characters");
            }
            if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
                return Err("parts may contain only letters, digits and hyphens");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err("a part must not begin or end with a hyphen");
            }
            labels += 1;
            last = label;
        }
        if labels < 2 {
            return Err("must have at least two parts");
        }
        if !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err("the last part must begin with a letter");
        }
        Ok(())
    }

    fn canonical(text: &str) -> Arc<str> {
        text.to_ascii_lowercase().into()
    }
}
