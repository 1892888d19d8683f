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

/// Parameters of `com.atproto.sync.getHead`.
#[derive(Debug, Deserialize)]
pub struct GetHeadParams {
    did: Did,
}

/// `com.atproto.sync.getHead`, which the protocol replaces by `getLatestCommit`.
pub async fn get_head(
    State(app): State<App>,
    viewer: Viewer,
    Query(params): Query<GetHeadParams>,
) -> Result<Output<Value>> {
    let account = synced(&app, &params.did, &viewer).await?;
    let root = repo::root(&app.db, account.id).await?;
    let root =
        root.ok_or_else(|| XrpcError::named("HeadNotFound", format!("Could not find root for DID: {}", params.did)))?;
    Ok(Output(json!({"root": root.head.commit})))
}
