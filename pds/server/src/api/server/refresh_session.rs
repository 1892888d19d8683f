use axum::extract::State;
use pds_store::{
    account::{self, Account, Status},
    session::{self as tokens, Rotation},
};
use uuid::Uuid;

use super::session::{self, REFRESH_US, Session};
use crate::{
    app::App,
    auth::{Refresh, account_takedown},
    http::rate_limit::Meter,
    rate_limit::REFRESHES,
    xrpc::{Output, Result, XrpcError},
};

/// How long a rotated token stays good, so that a client whose answer was lost is not logged out.
const GRACE_US: i64 = 2 * 60 * 60 * 1_000_000;

/// `com.atproto.server.refreshSession`
pub async fn refresh_session(State(app): State<App>, refresh: Refresh, meter: Meter) -> Result<Output<Session>> {
    let revoked = || XrpcError::named("ExpiredToken", "Token has been revoked");
    if refresh.expired {
        return Err(XrpcError::named("ExpiredToken", "Token has expired"));
    }
    meter.charge(&app, &REFRESHES, refresh.did.as_str(), 1).await?;
    let account = account::by_did(&app.db, &refresh.did).await?.filter(Account::exists);
    let account =
        account.ok_or_else(|| XrpcError::invalid(format!("Could not find user info for account: {}", refresh.did)))?;
    if account.status() == Status::TakenDown {
        return Err(account_takedown());
    }
    let (now, next_jti) = (app.clock.now_us(), Uuid::new_v4().simple().to_string());
    let rotation =
        Rotation { jti: &refresh.jti, next_jti: &next_jti, now, grace: GRACE_US, expires_at: now + REFRESH_US };
    let mut tx = app.db.begin().await?;
    let next = tokens::rotate(&mut tx, &rotation).await?;
    tx.commit().await?;
    let next = next.filter(|next| next.account_id == account.id).ok_or_else(revoked)?;
    session::with_tokens(&app, &account, &next).await.map(Output)
}
