//! Answers of services: passed on as they come, or read whole.

use std::{
    io::Read,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use flate2::read::{GzDecoder, ZlibDecoder};
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use pds_repo::record::{MAX_UNPACKED, Shape};
use serde_json::Value;

use super::headers;
use crate::{
    app::App,
    http::Plain,
    rate_limit::{Client, Part},
    task::run_blocking,
    upstream::{self, Answer},
    xrpc::{ForeignOutput, Result, XrpcError},
};

/// Maximum size of a body that this server decodes. One that is merged is shorter; a longer one was compressed to take memory.
const MAX_DECODED: u64 = 4 << 20;
/// Longer bodies are decoded on a thread that may block.
const SHORT: usize = 64 * 1024;

/// Passes an answer on while it arrives.
pub fn stream(answer: Answer) -> Response {
    let Answer { status, headers, body } = answer;
    response(status, headers::incoming(&headers), Body::new(Streamed(body)))
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // Compressing it would cost more than passing it on. A service that has not compressed it had its reasons.
    response.extensions_mut().insert(Plain);
    response.extensions_mut().insert(ForeignOutput);
    response
}

/// A body of no certain length, so that no layer waits for its end. The header `Content-Length` tells clients.
struct Streamed(upstream::Incoming);

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// An answer that was read to its end.
pub(super) struct Whole {
    status: StatusCode,
    pub(super) headers: HeaderMap,
    /// As the service sent it.
    raw: Bytes,
    /// Without its coding.
    decoded: Bytes,
    /// Its memory, among that of inputs.
    part: Part,
}

impl Whole {
    /// Reads an answer whose coding this server knows.
    ///
    /// # Errors
    /// When the answer ends early, is too long, or there is no memory for it.
    pub(super) async fn read(app: &App, client: &Client, answer: Answer) -> Result<Self> {
        let busy = || XrpcError::unavailable("Too many responses of other services are being read, try again", 1);
        let most = app.upstreams.settings().max_response_bytes;
        let Answer { status, headers, body } = answer;
        let part = app.inputs.take(client, 0).ok_or_else(busy)?;
        let mut raw = Vec::new();
        let mut body = Body::new(body).into_data_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                tracing::warn!("the response of another service ended early: {error}");
                XrpcError::upstream("Upstream response could not be read")
            })?;
            if !part.grow(piece.len()) {
                return Err(busy());
            }
            raw.extend_from_slice(&piece);
        }
        let raw = Bytes::from(raw);
        // Before it is taken: many small bodies may have a long content.
        let most = most.min(MAX_DECODED);
        let is_coded = !matches!(coding(&headers).as_deref(), Some("" | "identity"));
        if is_coded && !part.grow(usize::try_from(most).unwrap_or(usize::MAX)) {
            return Err(busy());
        }
        let decoded = decode(&headers, raw.clone(), most).await;
        let decoded = decoded.ok_or_else(|| XrpcError::upstream("Upstream response could not be decoded"))?;
        Ok(Self { status, headers, raw, decoded, part })
    }

    /// The body as JSON. `None` if it is none, or if there is no memory for its values.
    pub(super) fn json(&self) -> Option<Value> {
        self.unpacks_beside(0).then(|| serde_json::from_slice(&self.decoded).ok())?
    }

    /// Whether the body may be unpacked as JSON beside so many further bytes. Takes the memory for both.
    pub(super) fn unpacks_beside(&self, others: usize) -> bool {
        let needed = Shape::of_json(&self.decoded).json_bytes();
        needed <= MAX_UNPACKED && self.part.grow(needed.saturating_add(others))
    }

    /// Its length without coding.
    pub(super) fn len(&self) -> usize {
        self.decoded.len()
    }

    /// The body without coding.
    pub(super) fn decoded(&self) -> Bytes {
        self.decoded.clone()
    }

    /// Passes it on as the service sent it.
    pub(super) fn unchanged(self) -> Response {
        response(self.status, headers::incoming(&self.headers), Body::from(self.raw))
    }

    /// Passes on another body instead.
    pub(super) fn with_body(self, json: Vec<u8>) -> Response {
        let mut headers = headers::without_content(&self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut response = Response::new(Body::from(json));
        *response.headers_mut() = headers;
        response
    }
}

/// Whether this server knows the coding of a body.
pub(super) fn is_readable(headers: &HeaderMap) -> bool {
    coding(headers).is_some_and(|coding| matches!(&*coding, "" | "identity" | "gzip" | "x-gzip" | "deflate"))
}

fn coding(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(header::CONTENT_ENCODING).map_or(Some(""), |coding| coding.to_str().ok())?;
    Some(coding.trim().to_ascii_lowercase())
}

/// The body without its coding, of at most `most` bytes. `None` if the coding is not known, the body is damaged, or too long.
async fn decode(headers: &HeaderMap, raw: Bytes, most: u64) -> Option<Bytes> {
    let decoder: fn(&[u8], u64) -> Option<Vec<u8>> = match coding(headers)?.as_str() {
        "" | "identity" => return Some(raw),
        "gzip" | "x-gzip" => |raw, most| read(GzDecoder::new(raw), most),
        "deflate" => |raw, most| read(ZlibDecoder::new(raw), most),
        _ => return None,
    };
    let decoded = match raw.len() <= SHORT {
        true => decoder(&raw, most.min(SHORT as u64 * 16)),
        false => None,
    };
    // A short body may still have a long content.
    match decoded {
        Some(decoded) => Some(decoded.into()),
        None => run_blocking(move || decoder(&raw, most)).await.map(Bytes::from),
    }
}

fn read(decoder: impl Read, most: u64) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    decoder.take(most + 1).read_to_end(&mut decoded).ok()?;
    (decoded.len() as u64 <= most).then_some(decoded)
}

/// Reads at most `most` bytes of a body, without its coding. `None` if it is longer, damaged, or of a coding that is not known.
pub(super) async fn short(headers: &HeaderMap, body: upstream::Incoming, most: usize) -> Option<Bytes> {
    let limited = http_body_util::Limited::new(body, most);
    let raw = limited.collect().await.ok()?.to_bytes();
    decode(headers, raw, most as u64).await
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn coded(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(name))])
    }

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[tokio::test]
    async fn codings_are_undone_within_limits() {
        let text = vec![b'a'; 3 << 20];
        assert_eq!(decode(&coded("gzip"), gzip(&text), 4 << 20).await.unwrap().len(), text.len());
        assert!(decode(&coded("gzip"), gzip(&text), 1 << 20).await.is_none(), "a bomb");
        assert!(decode(&coded("gzip"), "nonsense".into(), 1 << 20).await.is_none());
        assert!(decode(&coded("br"), "x".into(), 1 << 20).await.is_none());
        assert_eq!(decode(&HeaderMap::new(), "x".into(), 1).await.unwrap(), "x");
    }
}
