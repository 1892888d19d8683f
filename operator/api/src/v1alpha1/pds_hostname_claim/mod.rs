//! `PdsHostnameClaim`: which instance holds a hostname.

mod spec;

pub use spec::{ClaimOwner, PdsHostnameClaim, PdsHostnameClaimSpec};
