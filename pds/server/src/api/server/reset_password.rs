use axum::extract::State;
use pds_store::email_token::Purpose;
use serde::Deserialize;

use super::create_session::pair;
use crate::{
    account::{email, new_password, password::MAX_CHARS},
    app::App,
    auth::Caller,
    rate_limit::Client,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.resetPassword`.
#[derive(Debug, Deserialize)]
pub struct ResetPasswordInput {
    token: String,
    password: String,
}

/// `com.atproto.server.resetPassword`
///
/// Ends all sessions of the account, on every replica.
pub async fn reset_password(
    State(app): State<App>,
    caller: Caller,
    client: Client,
    Procedure(input): Procedure<ResetPasswordInput>,
) -> Result<()> {
    if !(1..=MAX_CHARS).contains(&input.password.chars().count()) {
        return Err(XrpcError::invalid("Invalid password length."));
    }
    // Looked at before the password is hashed, which is dear, and used up after.
    let account = email::holder(&app.db, Purpose::ResetPassword, &input.token, app.clock.now_us()).await?;
    let hash = app.passwords.hash(&input.password, &client.subject).await?;
    new_password::reset(&app.db, &account, &input.token, &hash, app.clock.now_us()).await?;
    caller.set_did(&account.did);
    // Whoever reads the account's mails gets in from here, however often others have guessed.
    app.rate_limits.remember_login(pair(account.did.as_str(), &client.subject)).await;
    tracing::info!(account.did = %account.did, "the password of {} was reset with a mailed code", account.did);
    Ok(())
}
