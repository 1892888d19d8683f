//! Extractors for session tokens.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Basic};
use pds_crypto::session_token::{Claims, Scope};
use pds_repo::Action;
use pds_store::account::{Account, Current, Status};
use pds_syntax::{Did, Nsid};

use super::{
    admin::is_admin,
    caller::Caller,
    refusal::{account_takedown, may_write, missing_scope},
    scope::{ANY_SESSION, ANY_SESSION_OR_TAKENDOWN},
    service::{Issuer, OptionalIssuer, Trust, is_service_token},
    token::claims,
};
use crate::{account::scopes::Scopes, app::App, xrpc::XrpcError};

/// An account with a valid access token.
#[derive(Clone, Debug)]
pub struct Access {
    /// The account as it is now.
    pub account: Arc<Account>,
    /// The rights of the session. Those of an account that was taken down are never more than [`Scope::Takendown`].
    pub scope: Scope,
    /// What the session may do, if its app password is limited.
    pub limits: Option<Arc<Scopes>>,
}

impl Access {
    /// Refuses to write a record of a collection that a limited session may not write.
    ///
    /// # Errors
    /// The answer to the client.
    pub fn may_write(&self, action: Action, collection: &Nsid) -> Result<(), XrpcError> {
        match &self.limits {
            Some(limits) if !limits.may_write(action, collection) => {
                Err(missing_scope(format_args!("repo:{collection}?action={}", action.as_str())))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an account that is not active.
    pub(super) fn must_be_active(&self) -> Result<(), XrpcError> {
        may_write(self.account.status())
    }

    pub(super) async fn prove(app: &App, parts: &mut Parts, scopes: &[Scope]) -> Result<Self, XrpcError> {
        let (account, scope, limits) = holder(app, parts, scopes).await?;
        // A takedown leaves the tokens that were issued before only the rights of a new login.
        match account.status() == Status::TakenDown {
            true if scopes.contains(&Scope::Takendown) => Ok(Self { account, scope: Scope::Takendown, limits }),
            true => Err(account_takedown()),
            false => Ok(Self { account, scope, limits }),
        }
    }

    /// As [`Access::prove`], or with a service token of the account itself: made by the server that has its signing key.
    pub(super) async fn prove_or_service(app: &App, parts: &mut Parts) -> Result<Self, XrpcError> {
        if !is_service_token(parts) {
            return Self::prove(app, parts, ANY_SESSION).await;
        }
        // Before a document is fetched: a token of anybody must not make this server call the hosts that it names.
        let Issuer { did, service } = Issuer::claimed(app, parts)?;
        if service.is_some() {
            return Err(XrpcError::new(StatusCode::UNAUTHORIZED, "UntrustedIss", "Untrusted issuer"));
        }
        let not_found = || XrpcError::named("AccountNotFound", "Account not found");
        let account = app.accounts.by_did(&did).await?.ok_or_else(not_found)?;
        Issuer::prove(app, parts, Trust::Anybody).await?;
        if account.status() == Status::TakenDown {
            return Err(account_takedown());
        }
        Caller::of(parts).set_did(&account.did);
        // The rights of the token end with its one method.
        Ok(Self { account, scope: Scope::Access, limits: None })
    }
}

/// A valid refresh token.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The account.
    pub did: Did,
    /// The token's identifier.
    pub jti: String,
    /// Whether it has expired; only logging out accepts it then.
    pub expired: bool,
}

impl Refresh {
    pub(super) fn prove(app: &App, parts: &mut Parts) -> Result<Self, XrpcError> {
        let claims = claims(app, parts, true)?;
        let invalid = || XrpcError::named("InvalidToken", "Token could not be verified");
        match claims {
            Claims { scope: Scope::Refresh, sub, jti: Some(jti), exp, .. } => {
                let did = sub.parse().map_err(|_| invalid())?;
                Caller::of(parts).set_did(&did);
                Ok(Self { did, jti, expired: exp <= app.clock.now_s() })
            }
            _ => Err(invalid()),
        }
    }
}

/// The reader of public data. A request may have no credential, but not an invalid one.
#[derive(Clone, Debug)]
pub enum Viewer {
    /// No credential.
    Anybody,
    /// An account.
    Account(Arc<Account>),
    /// The administrator.
    Admin,
}

impl Viewer {
    /// Whether the reader may see what the owner of the account with this DID may see.
    pub fn is_owner_or_admin(&self, did: &Did) -> bool {
        match self {
            Self::Anybody => false,
            Self::Account(account) => account.did == *did,
            Self::Admin => true,
        }
    }

    pub(super) async fn prove(app: &App, parts: &mut Parts) -> Result<Self, XrpcError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self::Anybody);
        }
        if is_admin(app, &parts.headers) {
            return Ok(Self::Admin);
        }
        if parts.headers.typed_get::<Authorization<Basic>>().is_some() {
            app.metrics.auth_failed("admin");
            return Err(XrpcError::auth_required("Authentication Required"));
        }
        // An account that was taken down may still read its own data, and move elsewhere with it.
        let (account, ..) = holder(app, parts, ANY_SESSION_OR_TAKENDOWN).await?;
        Ok(Self::Account(account))
    }
}

/// Takes what [`authorize`](super::authorize) left with the request.
macro_rules! left_with_the_request {
    ($($credential:ty),*) => {$(
        impl<S: Send + Sync> FromRequestParts<S> for $credential {
            type Rejection = XrpcError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, XrpcError> {
                parts.extensions.remove().ok_or_else(|| {
                    tracing::error!("a handler asks for a credential that its row in the table of methods does not");
                    XrpcError::auth_required("Authentication Required")
                })
            }
        }
    )*};
}
left_with_the_request!(Access, OptionalIssuer, Refresh, Viewer);

/// The account of an access token with one of these scopes, its scope and its limits, unless its tokens were revoked since.
async fn holder(
    app: &App,
    parts: &mut Parts,
    scopes: &[Scope],
) -> Result<(Arc<Account>, Scope, Option<Arc<Scopes>>), XrpcError> {
    let claims = claims(app, parts, false)?;
    if !scopes.contains(&claims.scope) {
        // A refresh token is a token of another kind.
        let message = if claims.scope == Scope::Refresh { "Token could not be verified" } else { "Bad token scope" };
        return Err(XrpcError::named("InvalidToken", message));
    }
    let scope = claims.scope;
    let limits = match claims.limits.as_deref().map(str::parse::<Scopes>).transpose() {
        Ok(limits) if limits.is_some() == (scope == Scope::AppPassLimited) || scope == Scope::Takendown => limits,
        // Of a release that knows other limits.
        _ => return Err(XrpcError::named("InvalidToken", "Token could not be verified")),
    };
    let did = claims.sub.parse().map_err(|_| XrpcError::named("InvalidToken", "Token could not be verified"))?;
    let not_found = || XrpcError::named("AccountNotFound", "Account not found");
    let current = app.accounts.current(did, claims.session).await?.filter(|current| current.account.exists());
    let Current { account, session_ended } = current.ok_or_else(not_found)?;
    // The same answer as for an expired token, so that stock clients try to refresh, fail, and log out.
    if i64::from(account.token_epoch) != claims.epoch || session_ended {
        return Err(XrpcError::named("ExpiredToken", "Token has been revoked"));
    }
    Caller::of(parts).set_did(&account.did);
    Ok((Arc::new(account), scope, limits.map(Arc::new)))
}
