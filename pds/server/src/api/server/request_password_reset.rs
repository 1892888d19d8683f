use axum::extract::State;
use pds_store::{
    account::{self, Account},
    email_token::Purpose,
};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    account::email::{Error, address},
    app::App,
    http::rate_limit::Meter,
    mail::{self, Kind, Languages},
    rate_limit::PASSWORD_RESETS,
    report::chain,
    xrpc::{Procedure, Result, XrpcError},
};

/// Requests that are worked on after their answer. Each takes a connection to the database for some milliseconds.
static UNDER_WAY: Semaphore = Semaphore::const_new(64);

/// Input of `com.atproto.server.requestPasswordReset`.
#[derive(Debug, Deserialize)]
pub struct RequestPasswordResetInput {
    email: String,
}

/// `com.atproto.server.requestPasswordReset`
///
/// Answers before it looks whether there is such an account: the answer and its time say nothing about that, unlike in the reference. A mail that could
/// not be queued is missing without an answer that says so; the person asks again.
pub async fn request_password_reset(
    State(app): State<App>,
    languages: Languages,
    meter: Meter,
    Procedure(input): Procedure<RequestPasswordResetInput>,
) -> Result<()> {
    // Nobody has such an address: that it is refused says nothing about accounts.
    if input.email.is_empty() || input.email.len() > address::LONGEST {
        let longest = address::LONGEST;
        return Err(XrpcError::invalid(format!("Input/email must be an e-mail address of at most {longest} bytes")));
    }
    if !app.emails.mailer().can_send(Kind::ResetPassword) {
        return Err(Error::Mail(mail::Error::NotConfigured).into());
    }
    let busy = |_| XrpcError::unavailable("Too many passwords are being reset, try again", 5);
    let place = UNDER_WAY.try_acquire().map_err(busy)?;
    tokio::spawn(async move {
        let _place = place;
        match mail_code(&app, &input.email, &languages, &meter).await {
            Ok(()) | Err(Error::NoAddress | Error::NoAccount) => {}
            Err(error) => tracing::warn!(error = chain(&error), "a code that resets a password could not be mailed"),
        }
    });
    Ok(())
}

async fn mail_code(app: &App, email: &str, languages: &Languages, meter: &Meter) -> Result<(), Error> {
    let found = account::by_email(&app.db, email).await?.filter(Account::exists);
    let account = found.ok_or(Error::NoAccount)?;
    // Whoever asks, from however many addresses: nobody's mailbox is filled. What was mailed before stays good.
    if meter.charge(app, &PASSWORD_RESETS, account.did.as_str(), 1).await.is_err() {
        tracing::info!(account.did = %account.did, "too many password resets were asked for {}: no code was mailed", account.did);
        return Ok(());
    }
    app.emails.request(&account, Purpose::ResetPassword, languages).await
}
