use axum::{
    body::{Body, HttpBody},
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use axum_extra::headers::{ContentLength, HeaderMapExt};
use pds_syntax::Did;
use serde_json::{Value, json};

use crate::{
    app::App,
    auth::{Access, may_bring, missing_scope},
    blob::Error,
    http::rate_limit::Meter,
    rate_limit::UPLOADS,
    report::chain,
    xrpc::{Output, Result, XrpcError, content_type, refuse_compressed},
};

/// `com.atproto.repo.uploadBlob`
///
/// Counts towards the account's limit unless a record waits for the blob: a person who moves here brings all of theirs.
pub async fn upload_blob(
    State(app): State<App>,
    access: Access,
    meter: Meter,
    headers: HeaderMap,
    body: Body,
) -> Result<Output<Value>> {
    let id = access.account.id;
    may_bring(access.account.status())?;
    refuse_compressed(&headers)?;
    let stated = content_type(&headers)?
        .parse::<mime::Mime>()
        .map_err(|_| XrpcError::invalid("Request encoding (Content-Type) is not a media type"))?;
    // A range is no type.
    let is_range = stated.type_() == mime::STAR || stated.subtype() == mime::STAR;
    let stated = if is_range { mime::APPLICATION_OCTET_STREAM } else { stated };
    let length = headers.typed_get::<ContentLength>().map(|length| length.0);
    // An empty body is an empty blob, as in the reference; no body at all is a mistake.
    if length.is_none() && !headers.contains_key(header::TRANSFER_ENCODING) && body.is_end_stream() {
        return Err(XrpcError::invalid("A request body is expected but none was provided"));
    }
    if let Some(until) = app.blobs.uploads_refused_until(id).await? {
        return Err(meter.refuse_until(&app, &UPLOADS, until));
    }
    let share = app.upload_shares.take(&id.to_string());
    let _share = share.ok_or_else(|| XrpcError::unavailable("Too many uploads are under way, try again", 5))?;
    let mut body = body.into_data_stream();
    let mut unfinished =
        Unfinished { app: app.clone(), meter: meter.clone(), account: Some(access.account.did.clone()) };
    let stored = app.blobs.upload(&access.account, stated.essence_str(), length, &mut body).await;
    if !matches!(stored, Err(Error::Broken)) {
        unfinished.account = None;
    }
    let stored = stored.map_err(|error| match error {
        Error::TooLarge { .. } => {
            XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", error.to_string())
        }
        Error::Quota { .. } => XrpcError::named("AccountQuotaExceeded", error.to_string()),
        Error::Broken => XrpcError::invalid(error.to_string()),
        Error::TakenDown => XrpcError::named("BlobTakedown", error.to_string()),
        Error::Blobs(pds_blobstore::Error::TimedOut { .. }) => {
            tracing::warn!(error = chain(&error), "the blob store did not answer in time: uploadBlob failed");
            XrpcError::new(StatusCode::GATEWAY_TIMEOUT, "UpstreamTimeout", "Operation timed out, please try again.")
        }
        Error::Blobs(error) => error.into(),
        Error::Store(error) => error.into(),
    })?;
    // What the client stated was looked at before, and the bytes may show something else.
    if access.limits.as_ref().is_some_and(|limits| !limits.may_upload(&stored.mime_type)) {
        app.blobs.take_back(id, &stored).await?;
        return Err(missing_scope(format_args!("blob:{}", stored.mime_type)));
    }
    if !stored.fills_gap
        && let Err(refusal) = meter.charge(&app, &UPLOADS, access.account.did.as_str(), 1).await
    {
        let seconds = i64::from(refusal.retry_after.unwrap_or(1));
        app.blobs.refuse_uploads(id, app.clock.now_us() + seconds * 1_000_000).await;
        app.blobs.take_back(id, &stored).await?;
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

/// Counts an upload that the client gave up like one that was stored: its parts were sent to the blob store.
struct Unfinished {
    app: App,
    meter: Meter,
    /// `None` once the upload has ended in another way.
    account: Option<Did>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(account) = self.account.take() else { return };
        let (app, meter) = (self.app.clone(), self.meter.clone());
        // A client that went away has dropped the request.
        tokio::spawn(async move {
            if meter.charge(&app, &UPLOADS, account.as_str(), 1).await.is_err() {
                tracing::debug!(repo.did = %account, "{account} gave up more uploads than its limit counts");
            }
        });
    }
}
