use axum::extract::State;
use pds_syntax::Did;
use serde::Deserialize;

use super::account::by_did;
use crate::{
    account::{new_password, password::MAX_CHARS},
    app::App,
    rate_limit::Client,
    xrpc::{Procedure, Result, XrpcError},
};

/// Input of `com.atproto.admin.updateAccountPassword`.
#[derive(Debug, Deserialize)]
pub struct UpdateAccountPasswordInput {
    did: Did,
    password: String,
}

/// `com.atproto.admin.updateAccountPassword`
///
/// Ends all sessions of the account; its app passwords stay.
pub async fn update_account_password(
    State(app): State<App>,
    client: Client,
    Procedure(input): Procedure<UpdateAccountPasswordInput>,
) -> Result<()> {
    let UpdateAccountPasswordInput { did, password } = input;
    if password.is_empty() || password.chars().count() > MAX_CHARS {
        return Err(XrpcError::invalid("Invalid password length."));
    }
    let account = by_did(&app, &did).await?;
    let hash = app.passwords.hash(&password, &client.subject).await?;
    let mut tx = app.db.begin().await?;
    new_password::set(&mut tx, &account, &hash).await?;
    tx.commit().await?;
    tracing::info!(account.did = %did, "an administrator set a new password for {did}");
    Ok(())
}
