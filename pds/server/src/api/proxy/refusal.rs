//! Errors of services, as clients of this server see them.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{answer, headers};
use crate::upstream::Answer;

/// Maximum size of an error that is read.
const MAX_BYTES: usize = 64 * 1024;
/// How long the rest of another kind of body is waited for, so that the connection can be used again.
const DRAIN: Duration = Duration::from_millis(100);

/// An error of a service: status, name and message, nothing else of its body.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    /// The name, or that of the status.
    pub error: String,
    message: String,
    /// Those that do not describe the body.
    pub headers: HeaderMap,
}

impl Refusal {
    /// Reads an answer with a status of 400 or more.
    pub async fn read(answer: Answer) -> Self {
        let Answer { status, headers, body } = answer;
        let is_json = headers::is_json(&headers) != Some(false);
        let text = async {
            match is_json {
                true => answer::short(&headers, body, MAX_BYTES).await,
                false => timeout(DRAIN, answer::short(&headers, body, MAX_BYTES)).map(|_| None).await,
            }
        };
        let read: Map<String, Value> =
            text.await.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let field = |name: &str| read.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        // A fault of the other service is none of this one.
        let status = if status == StatusCode::INTERNAL_SERVER_ERROR { StatusCode::BAD_GATEWAY } else { status };
        let (name, text) = words(status);
        Self {
            status,
            error: field("error").unwrap_or(name).to_owned(),
            message: field("message").unwrap_or(text).to_owned(),
            headers: headers::without_content(&headers),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "message": self.message});
        (self.status, self.headers, Json(body)).into_response()
    }
}

/// The protocol's name and text for a status.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        401 => ("AuthenticationRequired", "Authentication Required"),
        403 => ("Forbidden", "Forbidden"),
        404 => ("XRPCNotSupported", "XRPC Not Supported"),
        406 => ("NotAcceptable", "Not Acceptable"),
        413 => ("PayloadTooLarge", "Payload Too Large"),
        415 => ("UnsupportedMediaType", "Unsupported Media Type"),
        429 => ("RateLimitExceeded", "Rate Limit Exceeded"),
        501 => ("MethodNotImplemented", "Method Not Implemented"),
        503 => ("NotEnoughResources", "Not Enough Resources"),
        504 => ("UpstreamTimeout", "Upstream Timeout"),
        400..=499 => ("InvalidRequest", "Invalid Request"),
        _ => ("UpstreamFailure", "Upstream Failure"),
    }
}
