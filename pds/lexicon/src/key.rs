//! Types of record keys.

use std::fmt;
use std::str::FromStr;

use pds_syntax::{Nsid, RecordKey, Tid};

/// The type of record keys in a collection: `key` in the record schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyType {
    /// Any valid record key.
    Any,
    Tid,
    Nsid,
    /// Exactly this text.
    Literal(String),
}

impl KeyType {
    /// Whether the key is of this type.
    #[must_use]
    pub fn allows(&self, rkey: &RecordKey) -> bool {
        match self {
            Self::Any => true,
            Self::Tid => rkey.as_str().parse::<Tid>().is_ok(),
            Self::Nsid => rkey.as_str().parse::<Nsid>().is_ok(),
            Self::Literal(text) => rkey.as_str() == text,
        }
    }
}

impl FromStr for KeyType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match (text, text.strip_prefix("literal:")) {
            ("any", _) => Ok(Self::Any),
            ("tid", _) => Ok(Self::Tid),
            ("nsid", _) => Ok(Self::Nsid),
            (_, Some(literal)) if literal.parse::<RecordKey>().is_ok() => Ok(Self::Literal(literal.to_owned())),
            _ => Err(()),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any record key"),
            Self::Tid => f.write_str("a TID"),
            Self::Nsid => f.write_str("an NSID"),
            Self::Literal(text) => write!(f, "{text:?}"),
        }
    }
}
