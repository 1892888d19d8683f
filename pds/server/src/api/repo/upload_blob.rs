use axum::{
    body::{Body, HttpBody},
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use pds_store::{account::Status, blob::any_missing};
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::{Access, account_takedown},
    blob::{self, Error, take_back},
    http::rate_limit::Meter,
    rate_limit::UPLOADS,
    report::chain,
    xrpc::{Output, Result, XrpcError, plain},
};

/// `com.atproto.repo.uploadBlob`
///
/// Counts towards the account's limit unless a record waits for the blob: who moves here brings as many as there are.
pub async fn upload_blob(
    State(app): State<App>,
    access: Access,
    meter: Meter,
    headers: HeaderMap,
    body: Body,
) -> Result<Output<Value>> {
    let id = access.account.id;
    // A deactivated account may be one that is moving here: its blobs come before its activation.
    if access.account.status() == Status::TakenDown {
        return Err(account_takedown());
    }
    plain(&headers)?;
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.ok_or_else(|| XrpcError::invalid("Request encoding (Content-Type) required but not provided"))?;
    let said = said
        .parse::<mime::Mime>()
        .map_err(|_| XrpcError::invalid("Request encoding (Content-Type) is not a media type"))?;
    // A range is no type.
    let is_range = said.type_() == mime::STAR || said.subtype() == mime::STAR;
    let said = if is_range { mime::APPLICATION_OCTET_STREAM } else { said };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // A body of no bytes is a blob of no bytes, as in the reference; none at all is a mistake.
    if length.is_none() && !headers.contains_key(header::TRANSFER_ENCODING) && body.is_end_stream() {
        return Err(XrpcError::invalid("A request body is expected but none was provided"));
    }
    if let Some(until) = app.uploads.until(id, app.clock.now_us()).await
        && !any_missing(&app.db, id).await?
    {
        return Err(meter.refused(&app, &UPLOADS, until));
    }
    let share = app.upload_shares.take(&id.to_string());
    let _share = share.ok_or_else(|| XrpcError::unavailable("Too many uploads are under way, try again", 5))?;
    let mut body = body.into_data_stream();
    let stored = blob::upload(&app, id, said.essence_str(), length, &mut body).await;
    let stored = stored.map_err(|error| match error {
        Error::TooLarge { .. } => {
            XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", error.to_string())
        }
        Error::Quota { .. } => XrpcError::named("AccountQuotaExceeded", error.to_string()),
        Error::Broken => XrpcError::invalid(error.to_string()),
        Error::TakenDown => XrpcError::named("BlobTakedown", error.to_string()),
        Error::Blobs(pds_blobstore::Error::TimedOut { .. }) => {
            tracing::warn!(error = chain(&error), "the blob store takes too long");
            XrpcError::new(StatusCode::GATEWAY_TIMEOUT, "UpstreamTimeout", "Operation timed out, please try again.")
        }
        Error::Blobs(error) => error.into(),
        Error::Store(error) => error.into(),
    })?;
    if !stored.fills_gap
        && let Err(refusal) = meter.draw(&app, &UPLOADS, access.account.did.as_str(), 1).await
    {
        let seconds = i64::from(refusal.retry_after.unwrap_or(1));
        app.uploads.close(id, app.clock.now_us() + seconds * 1_000_000).await;
        take_back(&app, id, &stored).await?;
        return Err(refusal);
    }
    app.metrics.blob_uploaded();
    Ok(Output(json!({"blob": {
        "$type": "blob",
        "ref": {"$link": stored.cid},
        "mimeType": stored.mime_type,
        "size": stored.size,
    }})))
}
