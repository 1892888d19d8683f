use axum::extract::State;
use serde::Deserialize;

use crate::{
    app::App,
    auth::Access,
    xrpc::{Procedure, Result},
};

/// Input of `com.atproto.server.revokeAppPassword`.
#[derive(Debug, Deserialize)]
pub struct RevokeAppPasswordInput {
    name: String,
}

/// `com.atproto.server.revokeAppPassword`
///
/// Ends the sessions of the app password at once, on every replica. A name that the account does not use is no error.
pub async fn revoke_app_password(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<RevokeAppPasswordInput>,
) -> Result<()> {
    app.app_passwords.revoke(&access.account, &input.name).await?;
    tracing::info!(account.did = %access.account.did, "revoked an app password of {}", access.account.did);
    Ok(())
}
