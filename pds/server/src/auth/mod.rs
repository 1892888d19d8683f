//! Who a request comes from. One extractor per kind of credential; a handler's signature says what it asks for.

mod admin;
mod session;

pub use admin::{Admin, is_admin};
pub use session::{Access, Bearer, Caller, Refresh, Viewer, issue_access, issue_refresh};
pub(crate) use session::{account_takedown, may_write};

use axum::{
    extract::Request,
    http::{HeaderValue, header},
};

use crate::{app::App, rate_limit::Asker};

/// Who asks, before anything else is known. A credential that does not hold proves nobody; what it is refused with is for whoever
/// demands it. A token is verified once: its claims go on with the request.
pub fn asker(app: &App, request: &mut Request) -> Asker {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Asker::Anybody };
    if let Some(claims) = credential(value, "Bearer").and_then(|token| session::verify(app, token, false).ok()) {
        let did = claims.sub.clone();
        request.extensions_mut().insert(session::Verified(claims));
        return Asker::Account(did);
    }
    if is_admin(app, request.headers()) { Asker::Admin } else { Asker::Anybody }
}

/// What an `Authorization` header says for `scheme`, whose case does not matter (RFC 9110 section 11.1).
fn credential<'a>(value: &'a HeaderValue, scheme: &str) -> Option<&'a str> {
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
