use axum::extract::State;
use pds_store::account::{self, Account};
use pds_syntax::Did;
use serde::Deserialize;

use super::create_session::pair;
use crate::{
    account::{deletion, password::MAX_OLD_CHARS},
    app::App,
    auth::Caller,
    http::rate_limit::Meter,
    job::account_purge,
    mail::Languages,
    rate_limit::{Client, GUESSES},
    report::chain,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.deleteAccount`.
#[derive(Debug, Deserialize)]
pub struct DeleteAccountInput {
    did: Did,
    password: String,
    token: String,
}

/// `com.atproto.server.deleteAccount`
///
/// The account is gone at once for everybody. Its data stays for the grace period of the host, within which an administrator can restore it.
pub async fn delete_account(
    State(app): State<App>,
    caller: Caller,
    meter: Meter,
    client: Client,
    languages: Languages,
    Procedure(input): Procedure<DeleteAccountInput>,
) -> Result<()> {
    if input.password.chars().count() > MAX_OLD_CHARS {
        return Err(XrpcError::auth_required("Password too long. Consider resetting your password."));
    }
    let found = account::by_did(&app.db, &input.did).await?.filter(Account::exists);
    let account = found.ok_or_else(|| XrpcError::invalid("account not found"))?;
    // A password is guessed here as well as in a login.
    let place = pair(account.did.as_str(), &client.subject);
    if !app.rate_limits.has_logged_in(&place).await {
        meter.charge(&app, &GUESSES, &pair(account.did.as_str(), ""), 1).await?;
    }
    if !app.passwords.verify(account.password_hash.as_deref(), &input.password, &client.subject).await? {
        app.metrics.auth_failed("password");
        return Err(XrpcError::auth_required("Invalid did or password"));
    }
    let (now, grace) = (app.clock.now_us(), app.settings.mail.delete_grace);
    deletion::with_code(&app.db, &app.emails, &account, &input.token, (now, grace), &languages).await?;
    caller.set_did(&account.did);
    tracing::info!(account.did = %account.did, "{} was deleted by its owner", account.did);
    if grace.is_zero() {
        // The job would do it within minutes.
        tokio::spawn(async move {
            if let Err(error) = account_purge::run(app.db.clone(), app.blobs.clone(), grace, now).await {
                tracing::warn!(error = chain(error.as_ref()), "the data of {} will be removed later", account.did);
            }
        });
    }
    Ok(())
}
