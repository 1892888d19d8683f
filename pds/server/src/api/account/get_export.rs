use axum::{extract::State, response::Response};

use crate::{api::archive, app::App, auth::Access, rate_limit::Client, xrpc::Result};

/// `dev.auroralocus.account.getExport`
pub async fn get_export(State(app): State<App>, access: Access, client: Client) -> Result<Response> {
    archive::answer(&app, &access.account, &client).await
}
