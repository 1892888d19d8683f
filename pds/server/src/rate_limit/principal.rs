//! The caller that a request is counted for.

/// The caller that a request is counted for, known from its headers alone.
#[derive(Debug, PartialEq, Eq)]
pub enum Principal {
    /// No valid credential.
    Anybody,
    /// The account with this DID.
    Account(String),
    /// Whoever has the administrator's password.
    Admin,
}

impl Principal {
    /// The name of its tier in metrics.
    pub fn tier(&self) -> &'static str {
        match self {
            Self::Anybody => "unauthenticated",
            Self::Account(_) => "authenticated",
            Self::Admin => "admin",
        }
    }
}
