use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use pds_store::account::Status;
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::{Access, account_takedown},
    blob::{self, Error},
    xrpc::{Output, Result, XrpcError, plain},
};

/// `com.atproto.repo.uploadBlob`
pub async fn upload_blob(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Output<Value>> {
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
    let said = if said == mime::STAR_STAR { mime::APPLICATION_OCTET_STREAM } else { said };
    let too_large = |limit| {
        let message = Error::TooLarge { limit }.to_string();
        XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message)
    };
    let limit = app.settings.blob.upload_limit;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut body = body.into_data_stream();
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let stored = blob::upload(&app, access.account.id, said.essence_str(), &mut body).await;
    let stored = stored.map_err(|error| match error {
        Error::TooLarge { limit } => too_large(limit),
        Error::Empty | Error::Broken => XrpcError::invalid(error.to_string()),
        Error::TakenDown => XrpcError::named("BlobTakedown", error.to_string()),
        Error::Blobs(error) => error.into(),
        Error::Store(error) => error.into(),
    })?;
    app.metrics.blob_uploaded();
    Ok(Output(json!({"blob": {
        "$type": "blob",
        "ref": {"$link": stored.cid},
        "mimeType": stored.mime_type,
        "size": stored.size,
    }})))
}
