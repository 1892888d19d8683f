use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::Access,
    blob::{self, Error},
    xrpc::{Output, Result, XrpcError},
};

/// `com.atproto.repo.uploadBlob`
pub async fn upload_blob(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Output<Value>> {
    access.may_write()?;
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
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let stored = blob::upload(&app, access.account.id, said.essence_str(), body.into_data_stream()).await;
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
