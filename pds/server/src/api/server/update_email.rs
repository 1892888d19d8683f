use axum::extract::State;
use serde::Deserialize;

use crate::{
    account::email::{AddressChange, address},
    app::App,
    auth::Access,
    mail::Languages,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.server.updateEmail`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateEmailInput {
    email: String,
    email_auth_factor: Option<bool>,
    token: Option<String>,
}

/// `com.atproto.server.updateEmail`
pub async fn update_email(
    State(app): State<App>,
    access: Access,
    languages: Languages,
    Procedure(input): Procedure<UpdateEmailInput>,
) -> Result<()> {
    let account = &access.account;
    let email = match account.email.as_deref() {
        // An address that the list of throw-away domains has got since may stay.
        Some(own) if own == input.email.to_lowercase() => own.to_owned(),
        _ => address::check(&input.email).map_err(|error| XrpcError::invalid(error.to_string()))?,
    };
    let code = input.token.filter(|code| !code.is_empty());
    let change = AddressChange { email, auth_factor: input.email_auth_factor, code };
    Ok(app.emails.update(account, &change, &languages).await?)
}
