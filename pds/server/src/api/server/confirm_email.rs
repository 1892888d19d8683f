use axum::extract::State;
use serde::Deserialize;

use crate::{
    app::App,
    auth::Access,
    xrpc::{Procedure, Result},
};

/// Input of `com.atproto.server.confirmEmail`.
#[derive(Debug, Deserialize)]
pub struct ConfirmEmailInput {
    email: String,
    token: String,
}

/// `com.atproto.server.confirmEmail`
pub async fn confirm_email(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<ConfirmEmailInput>,
) -> Result<()> {
    Ok(app.emails.confirm(&access.account, &input.email, &input.token).await?)
}
