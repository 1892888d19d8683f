//! What the methods that answer with a session share.

use std::sync::Arc;

use pds_identity::DidDocument;
use pds_store::{
    account::{Account, Status},
    session::{self, AppSession, RefreshToken},
};
use pds_syntax::{Did, Handle};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    api::inactive,
    app::App,
    auth::{issue_access, issue_refresh},
    xrpc::Result,
};

pub(super) const REFRESH_US: i64 = pds_crypto::session_token::REFRESH_SECONDS * 1_000_000;

/// The account's side of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    handle: Handle,
    did: Did,
    #[serde(skip_serializing_if = "Option::is_none")]
    did_doc: Option<Arc<DidDocument>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_confirmed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_auth_factor: Option<bool>,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// A session as a client keeps it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    access_jwt: String,
    refresh_jwt: String,
    #[serde(flatten)]
    holder: Holder,
}

/// Describes the account; its DID document comes along when the directory answers.
pub(super) async fn holder(app: &App, account: &Account) -> Holder {
    let status = account.status_at(app.clock.now_us());
    Holder {
        handle: app.handles.shown(account).await,
        did: account.did.clone(),
        did_doc: app.resolver.did_naming(&account.did, &account.handle).await.ok(),
        email: account.email.clone(),
        email_confirmed: account.email.as_ref().map(|_| account.email_confirmed_at.is_some()),
        email_auth_factor: account.email.as_ref().map(|_| account.email_auth_factor),
        active: status == Status::Active,
        status: inactive(status),
    }
}

/// Tokens for the account, of the session with this refresh token.
pub(super) async fn with_tokens(app: &App, account: &Account, token: &RefreshToken) -> Result<Session> {
    Ok(Session {
        access_jwt: issue_access(app, account, token)?,
        refresh_jwt: issue_refresh(app, account, &token.jti)?,
        holder: holder(app, account).await,
    })
}

/// A new session with all rights.
pub(super) async fn open(app: &App, account: &Account) -> Result<Session> {
    let token = store(app, account, None).await?;
    with_tokens(app, account, &token).await
}

/// A new session, with the rights of an app password if there is one. `None` if the app password was revoked meanwhile.
pub(super) async fn open_with(
    app: &App,
    account: &Account,
    app_password: Option<AppSession>,
) -> Result<Option<Session>> {
    match store(app, account, app_password).await {
        Ok(token) => with_tokens(app, account, &token).await.map(Some),
        Err(pds_store::Error::AppPasswordRevoked { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn store(app: &App, account: &Account, app_password: Option<AppSession>) -> pds_store::Result<RefreshToken> {
    let (jti, now) = (Uuid::new_v4().simple().to_string(), app.clock.now_us());
    let (account_id, expires_at) = (account.id, now + REFRESH_US);
    let token = RefreshToken { jti, account_id, created_at: now, expires_at, next_jti: None, app_password };
    let mut tx = app.db.begin().await?;
    session::create(&mut tx, &token).await?;
    tx.commit().await?;
    Ok(token)
}
