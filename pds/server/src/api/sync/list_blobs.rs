use axum::extract::State;
use pds_repo::Cid;
use pds_store::blob;
use pds_syntax::{Did, Tid};
use serde::{Deserialize, Serialize};

use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    xrpc::{Output, Query, Result, limit, number},
};

/// Parameters of `com.atproto.sync.listBlobs`.
#[derive(Debug, Deserialize)]
pub struct ListBlobsParams {
    did: Did,
    since: Option<Tid>,
    #[serde(default, deserialize_with = "number")]
    limit: Option<u32>,
    cursor: Option<Cid>,
}

/// Output of `com.atproto.sync.listBlobs`.
#[derive(Debug, Serialize)]
pub struct ListBlobsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Cid>,
    cids: Vec<Cid>,
}

/// `com.atproto.sync.listBlobs`
pub async fn list_blobs(
    State(app): State<App>,
    viewer: Viewer,
    Query(params): Query<ListBlobsParams>,
) -> Result<Output<ListBlobsOutput>> {
    let limit = limit(params.limit, 500, 1000)?;
    let account = synced(&app, &params.did, &viewer).await?;
    let cids = blob::list(&app.db, account.id, params.since, params.cursor.as_ref(), limit).await?;
    Ok(Output(ListBlobsOutput { cursor: cids.last().copied(), cids }))
}
