//! The administrator, by HTTP Basic.

use axum::http::{HeaderMap, header, request::Parts};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Basic};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::{app::App, xrpc::XrpcError};

/// The administrator's password.
pub(super) struct Admin;

impl Admin {
    pub(super) fn prove(app: &App, parts: &Parts) -> Result<(), XrpcError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(XrpcError::auth_required("Authentication Required"));
        }
        if is_admin(app, &parts.headers) {
            return Ok(());
        }
        app.metrics.auth_failed("admin");
        Err(XrpcError::auth_required("Authentication Required"))
    }
}

/// Whether the request has the administrator's password. Compared in constant time.
pub fn is_admin(app: &App, headers: &HeaderMap) -> bool {
    let Some(Authorization(given)) = headers.typed_get::<Authorization<Basic>>() else { return false };
    let wanted = format!("admin:{}", app.keys.admin_password.expose_secret());
    format!("{}:{}", given.username(), given.password()).as_bytes().ct_eq(wanted.as_bytes()).into()
}
