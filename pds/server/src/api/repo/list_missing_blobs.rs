use axum::extract::State;
use pds_repo::Cid;
use pds_store::blob;
use serde::{Deserialize, Serialize};

use super::uri;
use crate::{
    app::App,
    auth::Access,
    xrpc::{Output, Query, Result},
};

/// Parameters of `com.atproto.repo.listMissingBlobs`.
#[derive(Debug, Deserialize)]
pub struct ListMissingBlobsParams {
    limit: u32,
    cursor: Option<Cid>,
}

/// Output of `com.atproto.repo.listMissingBlobs`.
#[derive(Debug, Serialize)]
pub struct ListMissingBlobsOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<Cid>,
    blobs: Vec<RecordBlob>,
}

/// A blob and a record that refers to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordBlob {
    cid: Cid,
    record_uri: String,
}

/// `com.atproto.repo.listMissingBlobs`
///
/// Blobs whose objects the blob store lost are missing too: the objects are checked now, unless that was done a few minutes ago.
pub async fn list_missing_blobs(
    State(app): State<App>,
    access: Access,
    Query(params): Query<ListMissingBlobsParams>,
) -> Result<Output<ListMissingBlobsOutput>> {
    let (id, did) = (access.account.id, &access.account.did);
    app.blobs.check_objects(id, params.cursor).await?;
    let missing = blob::missing(&app.db, id, params.cursor.as_ref(), params.limit).await?;
    Ok(Output(ListMissingBlobsOutput {
        cursor: missing.last().map(|last| last.cid),
        blobs: missing.iter().map(|one| RecordBlob { cid: one.cid, record_uri: uri(did, &one.path) }).collect(),
    }))
}
