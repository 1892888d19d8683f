use axum::{extract::State, response::Response};
use pds_syntax::Did;
use serde::Deserialize;

use super::account::by_did;
use crate::{
    api::archive,
    app::App,
    rate_limit::Client,
    xrpc::{Query, Result},
};

/// Parameters of `dev.auroralocus.admin.getExport`.
#[derive(Debug, Deserialize)]
pub struct GetExportParams {
    did: Did,
}

/// `dev.auroralocus.admin.getExport`
///
/// For owners who cannot sign in any more.
pub async fn get_export(
    State(app): State<App>,
    client: Client,
    Query(params): Query<GetExportParams>,
) -> Result<Response> {
    let account = by_did(&app, &params.did).await?;
    tracing::info!(account.did = %account.did, "an administrator exports everything of {}", account.did);
    archive::answer(&app, &account, &client).await
}
