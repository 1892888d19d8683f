//! Who a request comes from. One extractor per kind of credential; a handler's signature says what it asks for.

mod admin;
mod session;

pub use admin::{Admin, is_admin};
pub(crate) use session::account_takedown;
pub use session::{Access, Bearer, Caller, Refresh, Viewer, issue_access, issue_refresh};

use axum::http::HeaderValue;

/// What an `Authorization` header says for `scheme`, whose case does not matter (RFC 9110 section 11.1).
fn credential<'a>(value: &'a HeaderValue, scheme: &str) -> Option<&'a str> {
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
