//! The administrator, by HTTP Basic.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Basic};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::{app::App, xrpc::XrpcError};

/// A request with the administrator's password.
#[derive(Debug)]
pub struct Admin;

impl FromRequestParts<App> for Admin {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, XrpcError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(XrpcError::new(StatusCode::UNAUTHORIZED, "AuthMissing", "Authentication Required"));
        }
        if is_admin(app, &parts.headers) {
            return Ok(Self);
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
