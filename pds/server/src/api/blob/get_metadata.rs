use axum::extract::State;
use pds_blobstore::{BlobKey, Error as BlobError};
use pds_repo::{Cid, record::alternative_text};
use pds_store::{
    account::Account,
    blob::{self, Blob, State as BlobState},
    record,
};
use pds_syntax::Did;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    blob::{HEAD_BYTES, dimensions},
    clock,
    rate_limit::Client,
    task::run_blocking,
    xrpc::{Output, Query, Result, XrpcError},
};

/// Parameters of `dev.auroralocus.blob.getMetadata`.
#[derive(Debug, Deserialize)]
pub struct GetMetadataParams {
    did: Did,
    cid: Cid,
}

/// Records that are listed. Each is read for its alternative text.
const REFERENCES: u32 = 25;

/// `dev.auroralocus.blob.getMetadata`
///
/// Of blobs that `getBlob` answers to the same reader.
pub async fn get_metadata(
    State(app): State<App>,
    viewer: Viewer,
    client: Client,
    Query(params): Query<GetMetadataParams>,
) -> Result<Output<Value>> {
    let account = synced(&app, &params.did, &viewer).await?;
    let found = blob::get(&app.db, account.id, &params.cid).await?.filter(|blob| blob.state == BlobState::Permanent);
    let found = found.ok_or_else(missing)?;
    let mut output = json!({
        "did": params.did,
        "cid": params.cid,
        "mimeType": found.mime,
        "size": found.size,
        "createdAt": clock::text(found.created_at),
        "references": references(&app, &account, &params.cid, &client).await?,
    });
    if found.mime.starts_with("image/")
        && let Some((width, height)) = dimensions(&head(&app, &found, &client).await?)
    {
        output["width"] = width.into();
        output["height"] = height.into();
    }
    Ok(Output(output))
}

fn missing() -> XrpcError {
    XrpcError::named("BlobNotFound", "Blob not found")
}

/// The first bytes of a blob.
async fn head(app: &App, found: &Blob, client: &Client) -> Result<bytes::Bytes> {
    let key: BlobKey =
        found.storage_key.parse().map_err(|error| XrpcError::internal("reading a blob's key", &error))?;
    if found.size == 0 {
        return Ok(bytes::Bytes::new());
    }
    let busy = || XrpcError::unavailable("Too many blobs are being read, try again", 1);
    let _reader = app.blob_readers.take(client, 1).ok_or_else(busy)?;
    match app.blobs.store().get(&key, Some(0..HEAD_BYTES)).await {
        Ok(object) => Ok(object.bytes().await?),
        Err(BlobError::NotFound { .. }) => {
            app.blobs.mark_lost(found).await?;
            Err(missing())
        }
        Err(error) => Err(error.into()),
    }
}

/// The records that refer to a blob, each with the alternative text that it gives the blob, if it gives one.
async fn references(app: &App, account: &Account, cid: &Cid, client: &Client) -> Result<Vec<Value>> {
    let (paths, mut views) = (blob::references(&app.db, account.id, cid, REFERENCES).await?, Vec::new());
    // Records are unpacked one at a time for all readers.
    let _turn = app.actors.turn(&client.subject).await?;
    for path in paths {
        // Deleted or taken down.
        let Some(found) = record::visible(&app.db, account.id, &path).await? else { continue };
        let cid = *cid;
        let alt = run_blocking(move || alternative_text(&found.body, &cid)).await;
        let alt = alt.map_err(|error| XrpcError::internal("reading a stored record", &error))?;
        let mut view = json!({"uri": format!("at://{}/{path}", account.did)});
        if let Some(alt) = alt {
            view["alt"] = alt.into();
        }
        views.push(view);
    }
    Ok(views)
}
