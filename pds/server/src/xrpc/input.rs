//! Parameters and inputs of methods.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    RequestExt,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use axum_extra::headers::{ContentLength, HeaderMapExt};
use futures::StreamExt;
use http_body_util::LengthLimitError;
use pds_lexicon::{Catalog, Method};
use pds_repo::record::{MAX_UNPACKED, Shape};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use super::{XrpcError, expect_content_type};
use crate::{
    app::App,
    rate_limit::{Budget, Client, Part},
    task::run_blocking,
};

/// The parameters of a method, validated against its lexicon and typed.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, XrpcError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        if let Some((name, _)) = pairs.clone().find(|(_, value)| value.contains('\0')) {
            return Err(XrpcError::invalid(format!("Params/{name} must not contain U+0000")));
        }
        let params = lexicon(&parts.uri)?.parameters(pairs).map_err(|error| XrpcError::invalid(error.to_string()))?;
        typed("Params", Value::Object(params)).map(Self)
    }
}

/// The JSON input of a procedure, validated against its lexicon and typed.
#[derive(Debug)]
pub struct Procedure<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for Procedure<T> {
    type Rejection = XrpcError;

    async fn from_request(request: Request, app: &App) -> Result<Self, XrpcError> {
        let lexicon = lexicon(request.uri())?;
        expect_content_type(request.headers(), lexicon.input_encoding().unwrap_or("application/json"))?;
        refuse_compressed(request.headers())?;
        // Records may contain any text; the other fields of these methods have types without control characters.
        let has_records = request.uri().path().starts_with("/xrpc/com.atproto.repo.");
        let mut body = receive(request, &app.inputs).await?;
        // Clients send no body where every field may be absent.
        if body.is_empty() {
            body.extend_from_slice(b"{}");
        }
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(XrpcError::invalid("Input must be a JSON object"));
        }
        if !has_records && contains_nul(&body) {
            return Err(XrpcError::invalid("Input must not contain U+0000"));
        }
        let length = body.len();
        let unpack = move || {
            let mut input = serde_json::from_slice(&body).map_err(|error| refuse("Input", &error))?;
            lexicon.check_input(&mut input).map_err(|error| XrpcError::invalid(error.to_string()))?;
            typed("Input", input).map(Self)
        };
        if length <= SHORT { unpack() } else { run_blocking(unpack).await }
    }
}

/// Refuses a request with a body. For procedures whose lexicon has no input.
pub async fn refuse_body(request: Request, next: Next) -> Response {
    let length = request.headers().typed_get::<ContentLength>().map_or(0, |length| length.0);
    if length > 0 || request.headers().contains_key(header::TRANSFER_ENCODING) {
        return XrpcError::invalid("A request body was provided when none was expected").into_response();
    }
    next.run(request).await
}

/// Receives a body within the memory that all inputs share. The memory stays taken until the request is answered.
async fn receive(request: Request, inputs: &Budget) -> Result<Vec<u8>, XrpcError> {
    let busy = || XrpcError::unavailable("Too many inputs are being received, try again", 1);
    let client = Client::of(request.extensions());
    let held = request.extensions().get::<HeldInput>().cloned().unwrap_or_default();
    let part = inputs.take(&client, 0).ok_or_else(busy)?;
    let mut body = request.with_limited_body().into_body().into_data_stream();
    let mut received = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| match is_too_long(&error) {
            true => XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", "request entity too large"),
            false => XrpcError::invalid("The request's body could not be read"),
        })?;
        if !part.grow(piece.len()) {
            return Err(busy());
        }
        received.extend_from_slice(&piece);
    }
    let found = Shape::of_json(&received);
    if found.record_bytes() > MAX_UNPACKED {
        let (needed, most) = (found.record_bytes() >> 20, MAX_UNPACKED >> 20);
        return Err(XrpcError::invalid(format!(
            "Input has too many values: {found} take {needed} MiB, at most {most}"
        )));
    }
    if !part.grow(found.record_bytes() + received.len() * COPIES) {
        return Err(busy());
    }
    held.keep(part);
    Ok(received)
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause = error.source();
    while let Some(found) = cause {
        if found.is::<LengthLimitError>() {
            return true;
        }
        cause = found.source();
    }
    false
}

/// A longer input is unpacked on a thread that may block.
const SHORT: usize = 64 * 1024;
/// Copies of the texts in an input while it is checked and encoded, beside the input.
const COPIES: usize = 2;

/// The memory of a request's input, which is free again when the request is answered.
#[derive(Clone, Debug, Default)]
pub struct HeldInput(Arc<Mutex<Option<Part>>>);

impl HeldInput {
    fn keep(&self, part: Part) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
    }

    /// Frees the memory.
    pub fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The lexicon of the method that a request calls.
fn lexicon(uri: &Uri) -> Result<Method<'static>, XrpcError> {
    let nsid = uri.path().strip_prefix("/xrpc/").unwrap_or_default();
    Catalog::bundled().method(nsid).ok_or_else(|| XrpcError::invalid("invalid xrpc path"))
}

/// A value that matches its lexicon, as the type of a handler. Some types are narrower than the lexicon.
fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, XrpcError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => refuse(what, error.inner()),
            path => refuse(&format!("{what}/{}", path.replace('.', "/")), error.inner()),
        }
    })
}

/// Whether a text of this JSON contains U+0000, which can only be escaped there. Postgres cannot store it.
fn contains_nul(json: &[u8]) -> bool {
    const NUL: &[u8] = b"u0000";
    let mut at = 0;
    while let Some(next) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += next + 1;
        if json[at..].starts_with(NUL) {
            return true;
        }
        // The escaped character may be a backslash.
        at = json.len().min(at + 1);
    }
    false
}

/// Refuses compressed bodies: their decoded length is not limited, and without decoding they mean something else.
///
/// # Errors
/// The answer to the client.
pub fn refuse_compressed(headers: &HeaderMap) -> Result<(), XrpcError> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(XrpcError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "unsupported content-encoding",
        )),
        _ => Ok(()),
    }
}

/// The protocol's wording of an error of serde.
fn refuse(what: &str, error: &serde_json::Error) -> XrpcError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => XrpcError::invalid(format!("{what} must have the property \"{field}\"")),
        None => XrpcError::invalid(format!("{what} not valid: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_only_where_one_is_escaped() {
        for json in [r#"{"a": "\u0000"}"#, r#"{"a": "x\\\u0000"}"#] {
            assert!(contains_nul(json.as_bytes()), "{json}");
        }
        for json in [r#"{"a": "\\u0000"}"#, r#"{"a": "u0000\n\u0001"}"#, r#"{"a": "\"#] {
            assert!(!contains_nul(json.as_bytes()), "{json}");
        }
    }
}
