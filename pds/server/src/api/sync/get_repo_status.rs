use axum::extract::State;
use pds_store::{account::Status, repo};
use pds_syntax::{Did, Tid};
use serde::{Deserialize, Serialize};

use crate::{
    api::inactive,
    app::App,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.getRepoStatus`.
#[derive(Debug, Deserialize)]
pub struct GetRepoStatusParams {
    did: Did,
}

/// Output of `com.atproto.sync.getRepoStatus`.
#[derive(Debug, Serialize)]
pub struct GetRepoStatusOutput {
    did: Did,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Tid>,
}

/// `com.atproto.sync.getRepoStatus`
pub async fn get_repo_status(
    State(app): State<App>,
    Query(params): Query<GetRepoStatusParams>,
) -> Result<Output<GetRepoStatusOutput>> {
    let account = app.accounts.by_did(&params.did).await?;
    let account = account.ok_or_else(|| XrpcError::repo_not_found(&params.did))?;
    let status = account.status_at(app.clock.now_us());
    let active = status == Status::Active;
    let rev = if active { repo::root(&app.db, account.id).await?.map(|root| root.head.rev) } else { None };
    Ok(Output(GetRepoStatusOutput { did: params.did, active, status: inactive(status), rev }))
}
