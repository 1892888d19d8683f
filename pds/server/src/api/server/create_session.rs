use axum::extract::State;
use data_encoding::HEXLOWER;
use pds_store::account::{self, Account, Status};
use pds_syntax::AtIdentifier;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::session::{self, Session};
use crate::{
    account::password::MAX_OLD_CHARS,
    app::App,
    auth::{Caller, account_takedown},
    http::rate_limit::Meter,
    rate_limit::Client,
    rate_limit::{GUESSES, LOGINS},
    xrpc::{Output, Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.createSession`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateSessionInput {
    identifier: String,
    password: String,
    allow_takendown: Option<bool>,
}

/// `com.atproto.server.createSession`
///
/// An unknown account costs as much work as a wrong password and gets the same answer.
pub async fn create_session(
    State(app): State<App>,
    caller: Caller,
    meter: Meter,
    client: Client,
    Procedure(input): Procedure<CreateSessionInput>,
) -> Result<Output<Session>> {
    let identifier = input.identifier.trim().to_lowercase();
    meter.charge(&app, &LOGINS, &pair(&identifier, meter.address()), 1).await?;
    if input.password.chars().count() > MAX_OLD_CHARS {
        return Err(XrpcError::auth_required("Password too long"));
    }
    let account = find(&app, &identifier).await?;
    // By account, whichever of its identifiers is used. One that does not exist is limited too.
    let who = account.as_ref().map_or(identifier, |account| account.did.to_string());
    let place = pair(&who, &client.subject);
    if !app.rate_limits.has_logged_in(&place).await {
        meter.charge(&app, &GUESSES, &pair(&who, ""), 1).await?;
    }
    let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
    let verified = app.passwords.verify(stored, &input.password, &client.subject).await?;
    let Some(account) = account.filter(|_| verified) else {
        app.metrics.auth_failed("password");
        return Err(XrpcError::auth_required("Invalid identifier or password"));
    };
    caller.set_did(&account.did);
    app.rate_limits.remember_login(place).await;
    if account.status() == Status::TakenDown && !input.allow_takendown.unwrap_or(false) {
        return Err(account_takedown());
    }
    session::open(&app, &account).await.map(Output)
}

/// Account and address of a login as one text of limited length that reveals neither.
fn pair(identifier: &str, address: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{address} {identifier}"))[..16])
}

async fn find(app: &App, identifier: &str) -> pds_store::Result<Option<Account>> {
    let found = if identifier.contains('@') {
        account::by_email(&app.db, identifier).await?
    } else {
        match identifier.parse() {
            Ok(AtIdentifier::Did(did)) => account::by_did(&app.db, &did).await?,
            Ok(AtIdentifier::Handle(handle)) => account::by_handle(&app.db, &handle).await?,
            Err(_) => None,
        }
    };
    Ok(found.filter(Account::exists))
}
