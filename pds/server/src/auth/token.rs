//! Session tokens: verifying the one of a request, and issuing new ones.

use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use pds_crypto::session_token::{ACCESS_SECONDS, Claims, Error as TokenError, REFRESH_SECONDS, Scope};
use pds_store::{
    account::{Account, Status},
    session::{AppSession, RefreshToken},
};

use crate::{app::App, xrpc::XrpcError};

/// The claims of a request's token, when it has been verified already.
#[derive(Clone, Debug)]
pub(super) struct Verified(pub(super) Claims);

/// The claims of a request's token.
///
/// # Errors
/// The answer to the client, if there is no token or an invalid one.
pub(super) fn claims(app: &App, parts: &mut Parts, accept_expired: bool) -> Result<Claims, XrpcError> {
    if let Some(Verified(claims)) = parts.extensions.remove() {
        return Ok(claims);
    }
    let Some(token) = parts.headers.typed_get::<Authorization<Bearer>>() else {
        return Err(match parts.headers.get(header::AUTHORIZATION) {
            Some(other) if !other.as_bytes().to_ascii_lowercase().starts_with(b"bearer") => {
                XrpcError::named("InvalidToken", "Unexpected authorization type")
            }
            _ => XrpcError::new(StatusCode::UNAUTHORIZED, "AuthMissing", "Authentication Required"),
        });
    };
    verify(app, token.token(), accept_expired).map_err(|error| {
        app.metrics.auth_failed("token");
        match error {
            TokenError::Expired => XrpcError::named("ExpiredToken", error.to_string()),
            TokenError::Invalid => XrpcError::named("InvalidToken", error.to_string()),
        }
    })
}

pub(super) fn verify(app: &App, token: &str, accept_expired: bool) -> Result<Claims, TokenError> {
    app.keys.session.verify(token, app.settings.service.did.as_str(), app.clock.now_s(), accept_expired)
}

/// The refresh token with which the access token of a request was issued.
pub fn session_of(app: &App, headers: &HeaderMap) -> Option<String> {
    let token = headers.typed_get::<Authorization<Bearer>>()?;
    verify(app, token.token(), false).ok()?.session
}

/// A new access token of the session with this refresh token.
///
/// # Errors
/// When it cannot be signed.
pub fn issue_access(app: &App, account: &Account, session: &RefreshToken) -> Result<String, XrpcError> {
    let limits = session.app_password.as_ref().and_then(|app_password| app_password.scopes.clone());
    let scope = match session.app_password {
        _ if account.status() == Status::TakenDown => Scope::Takendown,
        None => Scope::Access,
        Some(_) if limits.is_some() => Scope::AppPassLimited,
        Some(AppSession { privileged: false, .. }) => Scope::AppPass,
        Some(AppSession { privileged: true, .. }) => Scope::AppPassPrivileged,
    };
    issue(app, account, scope, ACCESS_SECONDS, Names { jti: None, session: Some(session.jti.clone()), limits })
}

/// The refresh token with identifier `jti`.
///
/// # Errors
/// When it cannot be signed.
pub fn issue_refresh(app: &App, account: &Account, jti: &str) -> Result<String, XrpcError> {
    issue(
        app,
        account,
        Scope::Refresh,
        REFRESH_SECONDS,
        Names { jti: Some(jti.to_owned()), session: None, limits: None },
    )
}

/// What a token names beside its account.
struct Names {
    jti: Option<String>,
    session: Option<String>,
    limits: Option<String>,
}

fn issue(app: &App, account: &Account, scope: Scope, seconds: i64, names: Names) -> Result<String, XrpcError> {
    let Names { jti, session, limits } = names;
    let (iat, epoch) = (app.clock.now_s(), i64::from(account.token_epoch));
    let (sub, aud) = (account.did.to_string(), app.settings.service.did.to_string());
    let claims = Claims { scope, sub, aud, iat, exp: iat + seconds, jti, session, limits, epoch };
    app.keys.session.issue(&claims).map_err(|error| XrpcError::internal("issuing a session token", &error))
}
