use axum::extract::State;
use pds_store::email_token::Purpose;
use serde_json::{Value, json};

use crate::{
    account::email::Error,
    app::App,
    auth::Access,
    mail::Languages,
    xrpc::{Output, Result},
};

/// `com.atproto.server.requestEmailUpdate`
///
/// An address that was never confirmed proves nothing: it can be replaced without a code.
pub async fn request_email_update(
    State(app): State<App>,
    access: Access,
    languages: Languages,
) -> Result<Output<Value>> {
    let account = &access.account;
    if account.email.is_none() {
        return Err(Error::NoAddress.into());
    }
    let token_required = account.email_confirmed_at.is_some();
    if token_required {
        app.emails.request(account, Purpose::UpdateEmail, &languages).await?;
    }
    Ok(Output(json!({"tokenRequired": token_required})))
}
