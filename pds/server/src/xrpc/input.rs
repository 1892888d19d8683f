//! Parameters and inputs of methods.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{XrpcError, expect_content_type};

/// The parameters of a query, typed. Numbers and flags need [`number`] and [`flag`], repeated parameters [`list`].
/// A parameter without a value counts as absent: many clients send `cursor=` for the first page.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = XrpcError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, XrpcError> {
        let mut map = Map::new();
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        for (name, value) in pairs.filter(|(_, value)| !value.is_empty()) {
            if value.contains('\0') {
                return Err(XrpcError::invalid(format!("Params/{name} must not contain U+0000")));
            }
            let value = Value::String(value.into_owned());
            match map.get_mut(name.as_ref()) {
                None => {
                    map.insert(name.into_owned(), value);
                }
                Some(Value::Array(all)) => all.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        serde_path_to_error::deserialize(Value::Object(map)).map(Self).map_err(|error| {
            let path = error.path().to_string();
            match path.as_str() {
                "." => refuse("Params", error.inner()),
                path => refuse(&format!("Params/{path}"), error.inner()),
            }
        })
    }
}

/// The JSON input of a procedure, typed. It is an object: serde alone would take a list of its fields too.
#[derive(Debug)]
pub struct Procedure<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Procedure<T> {
    type Rejection = XrpcError;

    async fn from_request(request: Request, state: &S) -> Result<Self, XrpcError> {
        expect_content_type(request.headers(), "application/json")?;
        refuse_compressed(request.headers())?;
        // Records may contain any text; the other fields of these methods have types without control characters.
        let has_records = request.uri().path().starts_with("/xrpc/com.atproto.repo.");
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                XrpcError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeError", "request entity too large")
            }
            _ => XrpcError::invalid("The request's body could not be read"),
        })?;
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(XrpcError::invalid("Input must be a JSON object"));
        }
        if !has_records && contains_nul(&body) {
            return Err(XrpcError::invalid("Input must not contain U+0000"));
        }
        let mut json = serde_json::Deserializer::from_slice(&body);
        let input = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            match path.as_str() {
                "." => refuse("Input", error.inner()),
                path => refuse(&format!("Input/{}", path.replace('.', "/")), error.inner()),
            }
        })?;
        json.end().map(|()| Self(input)).map_err(|error| refuse("Input", &error))
    }
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

/// Reads a field that may be absent but not null. Needs `#[serde(default)]` beside it.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The parameter `limit` of a page, between 1 and `most`.
///
/// # Errors
/// The answer to the client.
pub fn limit(given: Option<u32>, default: u32, most: u32) -> Result<u32, XrpcError> {
    let limit = given.unwrap_or(default);
    match (1..=most).contains(&limit) {
        true => Ok(limit),
        false => Err(XrpcError::invalid(format!("Params/limit must be between 1 and {most}"))),
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
