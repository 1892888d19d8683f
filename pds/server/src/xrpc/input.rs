//! Parameters and inputs of methods.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::XrpcError;

/// The parameters of a query, typed. Numbers and flags need [`number`] and [`flag`], repeated parameters [`list`].
/// One without a value is as good as absent: many clients send `cursor=` for the first page.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, XrpcError> {
        let mut map = Map::new();
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            let value = Value::String(value.into_owned());
            match map.get_mut(name.as_ref()) {
                None => {
                    map.insert(name.into_owned(), value);
                }
                Some(Value::Array(all)) => all.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        serde_json::from_value(Value::Object(map)).map(Self).map_err(|error| refuse("Params", &error))
    }
}

/// The JSON input of a procedure, typed. It is an object: serde alone would take a list of its fields too.
#[derive(Debug)]
pub struct Procedure<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Procedure<T> {
    type Rejection = XrpcError;

    async fn from_request(request: Request, state: &S) -> Result<Self, XrpcError> {
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence.is_empty() {
            return Err(XrpcError::invalid("Request encoding (Content-Type) required but not provided"));
        }
        if essence != "application/json" {
            return Err(XrpcError::invalid(format!("Wrong request encoding (Content-Type): {essence}")));
        }
        plain(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", "request entity too large")
            }
            _ => XrpcError::invalid("The request's body could not be read"),
        })?;
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(XrpcError::invalid("Input must be a JSON object"));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| refuse("Input", &error))
    }
}

/// Refuses bodies that are compressed: what they decode to has no bound, and as they are they mean something else.
pub fn plain(headers: &HeaderMap) -> Result<(), XrpcError> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(XrpcError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "unsupported content-encoding",
        )),
        _ => Ok(()),
    }
}

/// serde's complaint in the protocol's words.
fn refuse(what: &str, error: &serde_json::Error) -> XrpcError {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => XrpcError::invalid(format!("{what} must have the property \"{field}\"")),
        None => XrpcError::invalid(format!("{what} not valid: {text}")),
    }
}

/// Reads a number from a parameter's text.
pub fn number<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| serde::de::Error::custom(format!("{text:?} must be an integer in range")))
}

/// Reads `true` or `false` from a parameter's text.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        other => Err(serde::de::Error::custom(format!("{other:?} must be true or false"))),
    }
}

/// Reads a parameter that may be given once or many times.
pub fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let all = if value.is_array() { value } else { Value::Array(vec![value]) };
    serde_json::from_value(all).map_err(serde::de::Error::custom)
}
