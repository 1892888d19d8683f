use axum::extract::State;
use serde::Deserialize;

use crate::{
    api::session::end,
    app::App,
    auth::Access,
    xrpc::{Procedure, Result},
};

/// Input of `dev.auroralocus.server.revokeSession`.
#[derive(Debug, Deserialize)]
pub struct RevokeSessionInput {
    id: String,
}

/// `dev.auroralocus.server.revokeSession`
pub async fn revoke_session(
    State(app): State<App>,
    access: Access,
    Procedure(input): Procedure<RevokeSessionInput>,
) -> Result<()> {
    end(&app, access.account.id, &input.id).await?;
    tracing::info!(account.did = %access.account.did, "{} ended a session", access.account.did);
    Ok(())
}
