//! Who sent a request, before its method is known to need a credential.

use axum::{extract::Request, http::header};

use super::{
    admin::is_admin,
    credential::credential,
    token::{Verified, verify},
};
use crate::{app::App, rate_limit::Principal};

/// The caller that the credential of a request proves, or an anonymous one if the credential is missing or not valid: the method that needs it
/// refuses the request later. A token is verified once, and its claims are kept with the request.
pub fn principal(app: &App, request: &mut Request) -> Principal {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Principal::Anybody };
    if let Some(claims) = credential(value, "Bearer").and_then(|token| verify(app, token, false).ok()) {
        let did = claims.sub.clone();
        request.extensions_mut().insert(Verified(claims));
        return Principal::Account(did);
    }
    if is_admin(app, request.headers()) { Principal::Admin } else { Principal::Anybody }
}
