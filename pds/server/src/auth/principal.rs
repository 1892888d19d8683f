//! Who sent a request, before its method is known to need a credential.

use axum::{extract::Request, http::header};

use super::{
    admin::is_admin,
    credential::credential,
    token::{Verified, verify},
};
use crate::{app::App, rate_limit::Principal};

/// Whom the credential of a request proves. An invalid one proves nobody; the method that needs it refuses it later. A token is verified
/// once: its claims are kept with the request.
pub fn principal(app: &App, request: &mut Request) -> Principal {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Principal::Anybody };
    if let Some(claims) = credential(value, "Bearer").and_then(|token| verify(app, token, false).ok()) {
        let did = claims.sub.clone();
        request.extensions_mut().insert(Verified(claims));
        return Principal::Account(did);
    }
    if is_admin(app, request.headers()) { Principal::Admin } else { Principal::Anybody }
}
