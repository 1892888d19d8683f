use axum::extract::State;
use pds_store::repo;
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.getLatestCommit`.
#[derive(Debug, Deserialize)]
pub struct GetLatestCommitParams {
    did: Did,
}

/// `com.atproto.sync.getLatestCommit`
pub async fn get_latest_commit(
    State(app): State<App>,
    viewer: Viewer,
    Query(params): Query<GetLatestCommitParams>,
) -> Result<Output<Value>> {
    let account = synced(&app, &params.did, &viewer).await?;
    let root = repo::root(&app.db, account.id).await?;
    let root =
        root.ok_or_else(|| XrpcError::named("RepoNotFound", format!("Could not find root for DID: {}", params.did)))?;
    Ok(Output(json!({"cid": root.head.commit, "rev": root.head.rev})))
}
