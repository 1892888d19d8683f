//! Session tokens of accounts.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use pds_crypto::session_token::{ACCESS_SECONDS, Claims, Error as TokenError, REFRESH_SECONDS, Scope};
use pds_store::account::{Account, Current, Status};
use pds_syntax::Did;

use super::credential;
use crate::{app::App, auth::is_admin, xrpc::XrpcError};

/// The text behind `Bearer`.
#[derive(Debug)]
pub struct Bearer(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, XrpcError> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(Self(None)) };
        Ok(Self(credential(value, "Bearer").map(str::to_owned)))
    }
}

/// Who turned out to be asking; the request's log line reads it when the answer is there.
#[derive(Clone, Debug, Default)]
pub struct Caller(Arc<OnceLock<Did>>);

impl Caller {
    /// The account, if the request proved to be one's.
    pub fn did(&self) -> Option<&Did> {
        self.0.get()
    }

    /// The request is that account's. The first credential that held says who asks.
    pub fn is(&self, did: &Did) {
        let _ = self.0.set(did.clone());
    }

    fn of(parts: &Parts) -> Self {
        parts.extensions.get().cloned().unwrap_or_default()
    }
}

/// For methods that find out themselves, from a password.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}

/// An account with a valid access token, as it is now.
#[derive(Debug)]
pub struct Access {
    /// The account.
    pub account: Arc<Account>,
}

impl Access {
    /// Refuses accounts that may not write.
    pub fn may_write(&self) -> Result<(), XrpcError> {
        may_write(self.account.status())
    }
}

/// Refuses the states in which an account may not write.
pub(crate) fn may_write(status: Status) -> Result<(), XrpcError> {
    match status {
        Status::Active => Ok(()),
        Status::Deactivated => {
            Err(XrpcError::new(StatusCode::UNAUTHORIZED, "AccountDeactivated", "Account is deactivated"))
        }
        Status::TakenDown => Err(account_takedown()),
        Status::Creating => Err(XrpcError::auth_required("Account not found")),
    }
}

/// The error for an account that the host took down.
pub(crate) fn account_takedown() -> XrpcError {
    XrpcError::new(StatusCode::UNAUTHORIZED, "AccountTakedown", "Account has been taken down")
}

impl FromRequestParts<App> for Access {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, XrpcError> {
        let account = holder(app, parts, &[Scope::Access]).await?;
        // Its tokens from before end with the takedown.
        if account.status() == Status::TakenDown {
            return Err(account_takedown());
        }
        Ok(Self { account })
    }
}

/// A valid refresh token.
#[derive(Debug)]
pub struct Refresh {
    /// Whose.
    pub did: Did,
    /// Which.
    pub jti: String,
    /// Its time is over; only logging out accepts it.
    pub expired: bool,
}

impl FromRequestParts<App> for Refresh {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, XrpcError> {
        let claims = claims(app, parts, true)?;
        let invalid = || XrpcError::named("InvalidToken", "Bad token scope");
        match claims {
            Claims { scope: Scope::Refresh, sub, jti: Some(jti), exp, .. } => {
                let did = sub.parse().map_err(|_| invalid())?;
                Caller::of(parts).is(&did);
                Ok(Self { did, jti, expired: exp <= app.clock.now_s() })
            }
            _ => Err(invalid()),
        }
    }
}

/// Who reads: anybody, an account, the administrator. A credential that is given must be valid.
#[derive(Debug)]
pub enum Viewer {
    /// No credential.
    Anybody,
    /// An account.
    Account(Arc<Account>),
    /// The administrator.
    Admin,
}

impl Viewer {
    /// May see what the account's owner may see.
    pub fn is_owner_or_admin(&self, did: &Did) -> bool {
        match self {
            Self::Anybody => false,
            Self::Account(account) => account.did == *did,
            Self::Admin => true,
        }
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, XrpcError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self::Anybody);
        }
        if is_admin(app, &parts.headers) {
            return Ok(Self::Admin);
        }
        // Whoever was taken down may still read what is theirs, and leave with it.
        Ok(Self::Account(holder(app, parts, &[Scope::Access, Scope::Takendown]).await?))
    }
}

fn missing() -> XrpcError {
    XrpcError::new(StatusCode::UNAUTHORIZED, "AuthMissing", "Authentication Required")
}

/// The claims of a request's token, when it has been verified already.
#[derive(Clone, Debug)]
pub(super) struct Verified(pub(super) Claims);

fn claims(app: &App, parts: &mut Parts, accept_expired: bool) -> Result<Claims, XrpcError> {
    if let Some(Verified(claims)) = parts.extensions.remove() {
        return Ok(claims);
    }
    let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| credential(value, "Bearer"));
    verify(app, token.ok_or_else(missing)?, accept_expired).map_err(|error| {
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

/// The account of an access token of one of these kinds, unless its tokens were revoked since.
async fn holder(app: &App, parts: &mut Parts, scopes: &[Scope]) -> Result<Arc<Account>, XrpcError> {
    let claims = claims(app, parts, false)?;
    if !scopes.contains(&claims.scope) {
        return Err(XrpcError::named("InvalidToken", "Bad token scope"));
    }
    let did = claims.sub.parse().map_err(|_| XrpcError::named("InvalidToken", "Token could not be verified"))?;
    let not_found = || XrpcError::named("AccountNotFound", "Account not found");
    let Current { account, session_ended } = app.accounts.ask(did, claims.session).await?.ok_or_else(not_found)?;
    // As an expired token, so that stock clients try to refresh, fail, and log out.
    if i64::from(account.token_epoch) != claims.epoch || session_ended {
        return Err(XrpcError::named("ExpiredToken", "Token has been revoked"));
    }
    Caller::of(parts).is(&account.did);
    Ok(Arc::new(account))
}

/// A new access token of the session whose refresh token has the identifier `session`.
pub fn issue_access(app: &App, account: &Account, session: &str) -> Result<String, XrpcError> {
    let scope = if account.status() == Status::TakenDown { Scope::Takendown } else { Scope::Access };
    issue(app, account, scope, ACCESS_SECONDS, Names { jti: None, session: Some(session.to_owned()) })
}

/// The refresh token with identifier `jti`.
pub fn issue_refresh(app: &App, account: &Account, jti: &str) -> Result<String, XrpcError> {
    issue(app, account, Scope::Refresh, REFRESH_SECONDS, Names { jti: Some(jti.to_owned()), session: None })
}

/// What a token names beside its account.
struct Names {
    jti: Option<String>,
    session: Option<String>,
}

fn issue(app: &App, account: &Account, scope: Scope, seconds: i64, names: Names) -> Result<String, XrpcError> {
    let Names { jti, session } = names;
    let (iat, epoch) = (app.clock.now_s(), i64::from(account.token_epoch));
    let (sub, aud) = (account.did.to_string(), app.settings.service.did.to_string());
    let claims = Claims { scope, sub, aud, iat, exp: iat + seconds, jti, session, epoch };
    app.keys.session.issue(&claims).map_err(|error| XrpcError::internal("issuing a session token", &error))
}
