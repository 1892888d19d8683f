//! Record keys.

use std::sync::Arc;

use crate::{Tid, text::text_type};

/// A record key of any type, 1 to 512 characters. Source: <https://atproto.com/specs/record-key>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(Arc<str>);
text_type!(RecordKey, "record key");

impl RecordKey {
    pub(crate) fn check(text: &str) -> Result<(), &'static str> {
        if text.is_empty() || text.len() > 512 {
            return Err("must have 1 to 512 characters");
        }
        if text == "." || text == ".." {
            return Err("must not be \".\" or \"..\"");
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_~.:-".contains(&b)) {
            return Err("may contain only letters, digits and _ ~ . : -");
        }
        Ok(())
    }

    fn canonical(text: &str) -> Arc<str> {
        text.into()
    }
}

impl From<Tid> for RecordKey {
    fn from(tid: Tid) -> Self {
        Self(tid.to_string().into())
    }
}
