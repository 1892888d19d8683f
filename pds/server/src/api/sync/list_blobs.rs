use axum::extract::State;
use pds_repo::Cid;
use pds_store::blob;
use pds_syntax::{Did, Tid};
use serde::{Deserialize, Serialize};

use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    rate_limit::Client,
    xrpc::{Output, Query, Result},
};

/// Parameters of `com.atproto.sync.listBlobs`.
#[derive(Debug, Deserialize)]
pub struct ListBlobsParams {
    did: Did,
    since: Option<Tid>,
    limit: u32,
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
    client: Client,
    Query(params): Query<ListBlobsParams>,
) -> Result<Output<ListBlobsOutput>> {
    let account = synced(&app, &params.did, &viewer).await?;
    // Any number of records may refer to one blob, and the database looks at all of them.
    let _turn = app.actors.turn(&client.subject).await?;
    let cids = blob::list(&app.db, account.id, params.since, params.cursor.as_ref(), params.limit).await?;
    Ok(Output(ListBlobsOutput { cursor: cids.last().copied(), cids }))
}
