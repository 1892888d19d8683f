use axum::extract::State;
use pds_store::account;
use pds_syntax::AtIdentifier;
use serde::Deserialize;

use super::account::find;
use crate::{
    api::server,
    app::App,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.admin.updateAccountEmail`.
#[derive(Debug, Deserialize)]
pub struct UpdateAccountEmailInput {
    account: AtIdentifier,
    email: String,
}

/// `com.atproto.admin.updateAccountEmail`
///
/// The address is not confirmed then.
pub async fn update_account_email(
    State(app): State<App>,
    Procedure(input): Procedure<UpdateAccountEmailInput>,
) -> Result<()> {
    let account = find(&app, &input.account).await?;
    let email = server::email(&input.email)?;
    let mut tx = app.db.begin().await?;
    account::set_email(&mut tx, account.id, Some(&email)).await.map_err(|error| match error {
        pds_store::Error::EmailTaken => {
            XrpcError::invalid("This email address is already in use, please use a different email.")
        }
        error => error.into(),
    })?;
    tx.commit().await?;
    tracing::info!(account.did = %account.did, "an administrator changed the e-mail address of {}", account.did);
    Ok(())
}
