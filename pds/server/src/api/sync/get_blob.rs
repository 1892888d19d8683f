use std::{io, ops::Range, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use axum_extra::headers::{ETag, HeaderMapExt, IfNoneMatch};
use futures::StreamExt;
use pds_blobstore::{BlobKey, Error as BlobError};
use pds_repo::Cid;
use pds_store::{
    account::Status,
    blob::{self, Blob, State as BlobState},
};
use pds_syntax::Did;
use serde::Deserialize;

use crate::{
    api::synced,
    app::App,
    auth::Viewer,
    blob::disposition,
    rate_limit::Client,
    xrpc::{Query, Result, XrpcError},
};

/// Parameters of `com.atproto.sync.getBlob`.
#[derive(Debug, Deserialize)]
pub struct GetBlobParams {
    did: Did,
    cid: Cid,
}

/// Sent by a CDN with every request to its origin (RFC 8586).
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// `com.atproto.sync.getBlob`
///
/// Only blobs that a record refers to. The content never changes, so caches may keep it; browsers may not run it.
pub async fn get_blob(
    State(app): State<App>,
    method: Method,
    viewer: Viewer,
    client: Client,
    headers: HeaderMap,
    Query(params): Query<GetBlobParams>,
) -> Result<Response> {
    let account = synced(&app, &params.did, &viewer).await?;
    let found = blob::get(&app.db, account.id, &params.cid).await?.filter(|blob| blob.state == BlobState::Permanent);
    let missing = || XrpcError::named("BlobNotFound", "Blob not found");
    let found = found.ok_or_else(missing)?;
    let key: BlobKey =
        found.storage_key.parse().map_err(|error| XrpcError::internal("reading a blob's key", &error))?;
    let tag = format!("\"{}\"", params.cid);
    let tag: ETag = tag.parse().map_err(|error| XrpcError::internal("writing a blob's tag", &error))?;
    let status = account.status_at(app.clock.now_us());
    let mut head = head(&found, tag.clone(), status);
    if headers.typed_get::<IfNoneMatch>().is_some_and(|known| !known.precondition_passes(&tag)) {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    // Neither a credential nor a blob that only its bearer may see leaves this server. A link is valid for GET, not for HEAD.
    let may_leave = method == Method::GET && status == Status::Active && matches!(viewer, Viewer::Anybody);
    if may_leave
        && found.lost_at.is_none()
        && !headers.contains_key(CDN_LOOP)
        && let Some(target) = app.blobs.redirect(&params.did, &found, &key).await?
    {
        return Ok((
            StatusCode::FOUND,
            [(header::LOCATION, value(&target.url)?), (header::CACHE_CONTROL, value(target.cache_control)?)],
        )
            .into_response());
    }
    let range = match range(headers.get(header::RANGE), found.size) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Outside => {
            head.insert(header::CONTENT_RANGE, value(&format!("bytes */{}", found.size))?);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, head).into_response());
        }
    };
    let busy = || XrpcError::unavailable("Too many blobs are being read, try again", 1);
    let reader = Arc::new(app.blob_readers.take(&client, 1).ok_or_else(busy)?);
    let object = match app.blobs.store().get(&key, range.clone()).await {
        Ok(object) => object,
        Err(BlobError::NotFound { .. }) => {
            app.blobs.mark_lost(&found).await?;
            return Err(missing());
        }
        Err(error) => return Err(error.into()),
    };
    if found.lost_at.is_some() {
        app.blobs.mark_found(&found).await?;
    }
    head.insert(header::CONTENT_LENGTH, HeaderValue::from(object.range.end - object.range.start));
    let status = match range {
        Some(range) => {
            let text = format!("bytes {}-{}/{}", range.start, range.end - 1, found.size);
            head.insert(header::CONTENT_RANGE, value(&text)?);
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    let pieces = object.stream.map(move |piece| match reader.moved() {
        true => piece.map(|piece| reader.hold(piece)).map_err(io::Error::other),
        false => Err(io::Error::other("the client read too slowly, and others wait to read blobs")),
    });
    Ok((status, head, Body::from_stream(pieces)).into_response())
}

/// The headers of a blob.
fn head(blob: &Blob, tag: ETag, status: Status) -> HeaderMap {
    let mut head = HeaderMap::new();
    let value =
        |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    head.insert(header::CONTENT_TYPE, value(&blob.mime));
    head.typed_insert(tag);
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // What only its owner and the administrator may see must not come out of a cache that others use.
    let cache = match status {
        Status::Active => "public, max-age=31536000, s-maxage=3600, immutable",
        _ => "private, max-age=3600",
    };
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    head.insert(header::CONTENT_DISPOSITION, value(&disposition(&blob.cid)));
    head
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|error| XrpcError::internal("writing a header", &error))
}

#[derive(Debug, PartialEq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Outside,
}

/// One range of bytes. Several, or another unit, are answered with everything, as RFC 9110 section 14.2 allows.
fn range(given: Option<&HeaderValue>, size: u64) -> Wanted {
    let Some(spec) = given.and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")) else { return Wanted::All };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::All };
    let wanted = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if last >= first => first..last.saturating_add(1).min(size),
        (Ok(_), Ok(_)) => return Wanted::All,
        (Ok(first), Err(_)) if last.trim().is_empty() => first..size,
        (Err(_), Ok(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
        _ => return Wanted::All,
    };
    if wanted.start < wanted.end && wanted.start < size { Wanted::Part(wanted) } else { Wanted::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let ask = |text: &'static str| range(Some(&HeaderValue::from_static(text)), 100);
        assert_eq!(ask("bytes=5-9"), Wanted::Part(5..10));
        assert_eq!(ask("bytes=90-200"), Wanted::Part(90..100));
        assert_eq!(ask("bytes=95-"), Wanted::Part(95..100));
        assert_eq!(ask("bytes=-5"), Wanted::Part(95..100));
        assert_eq!(ask("bytes=100-"), Wanted::Outside);
        assert_eq!(ask("bytes=-0"), Wanted::Outside);
        assert_eq!(ask("bytes=0-1,5-6"), Wanted::All);
        assert_eq!(ask("lines=1-2"), Wanted::All);
        assert_eq!(range(None, 100), Wanted::All);
    }
}
