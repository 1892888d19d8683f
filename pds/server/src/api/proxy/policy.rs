//! What the table of methods says about passing requests on.

use axum::http::Extensions;

use crate::upstream::Kind;

/// Where a method goes, and who may call it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The service that answers it, unless the client names one.
    pub service: Kind,
    /// It manages an account: no service gets it, nor a token for it.
    pub is_protected: bool,
    /// Sessions with app passwords need a privilege for it.
    pub is_privileged: bool,
}

impl Policy {
    /// That of methods about which nothing is known.
    pub const OTHERS: Self = Self { service: Kind::AppView, is_protected: false, is_privileged: false };
}

/// Finds the policy of a method by its NSID. The router leaves it with each request.
#[derive(Clone, Copy, Debug)]
pub struct Policies(pub fn(&str) -> Policy);

impl Policies {
    /// The policy of a method for a request with these extensions.
    pub fn of(extensions: &Extensions, nsid: &str) -> Policy {
        extensions.get::<Self>().map_or(Policy::OTHERS, |policies| (policies.0)(nsid))
    }
}
