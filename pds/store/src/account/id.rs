//! Keys of accounts and of what belongs to them.

use std::fmt;

/// An account's key in the database. Never reused, and ascending in the order in which accounts were reserved.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AccountId(pub i64);

/// An app password's key in the database. Never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AppPasswordId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AppPasswordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
