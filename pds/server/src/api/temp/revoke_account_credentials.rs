use axum::extract::State;
use pds_store::{
    account::{self, Account},
    app_password, session,
};
use pds_syntax::AtIdentifier;
use serde::Deserialize;

use crate::{
    app::App,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.temp.revokeAccountCredentials`.
#[derive(Debug, Deserialize)]
pub struct RevokeAccountCredentialsInput {
    account: AtIdentifier,
}

/// `com.atproto.temp.revokeAccountCredentials`
///
/// Ends all sessions, deletes the app passwords and removes the password: nobody gets in until the owner has reset it by e-mail, or an
/// administrator has.
pub async fn revoke_account_credentials(
    State(app): State<App>,
    Procedure(input): Procedure<RevokeAccountCredentialsInput>,
) -> Result<()> {
    let found = match &input.account {
        AtIdentifier::Did(did) => account::by_did(&app.db, did).await?,
        AtIdentifier::Handle(handle) => account::by_handle(&app.db, handle).await?,
    };
    let found = found.filter(Account::exists);
    let account = found.ok_or_else(|| XrpcError::invalid(format!("Account does not exist: {}", input.account)))?;
    let mut tx = app.db.begin().await?;
    account::remove_password(&mut tx, account.id).await?;
    app_password::delete_all(&mut tx, account.id).await?;
    session::revoke_all(&mut tx, account.id).await?;
    tx.commit().await?;
    tracing::info!(account.did = %account.did, "an administrator revoked the credentials of {}", account.did);
    Ok(())
}
