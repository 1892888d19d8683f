//! Who sent a request, before its method is known to need a credential.

use axum::extract::Request;
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};

use super::{
    admin::is_admin,
    token::{Verified, verify},
};
use crate::{app::App, rate_limit::Principal};

/// The caller that the credential of a request proves, or an anonymous one if the credential is missing or not valid: the method that needs it
/// refuses the request later. A token is verified once, and its claims are kept with the request.
pub fn principal(app: &App, request: &mut Request) -> Principal {
    let token = request.headers().typed_get::<Authorization<Bearer>>();
    if let Some(claims) = token.and_then(|token| verify(app, token.token(), false).ok()) {
        let did = claims.sub.clone();
        request.extensions_mut().insert(Verified(claims));
        return Principal::Account(did);
    }
    if is_admin(app, request.headers()) { Principal::Admin } else { Principal::Anybody }
}
