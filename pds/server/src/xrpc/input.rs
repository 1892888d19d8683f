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
        // Records may hold any text; what else these methods take is of types without control characters.
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
        if !has_records && holds_nul(&body) {
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

/// Is there a U+0000 in a text of this JSON? It can only be escaped there. Postgres has none in texts.
fn holds_nul(json: &[u8]) -> bool {
    const NUL: &[u8] = b"u0000";
    let mut at = 0;
    while let Some(next) = json[at..].iter().position(|byte| *byte == b'\\') {
        at += next + 1;
        if json[at..].starts_with(NUL) {
            return true;
        }
        // Whatever is escaped, it may be a backslash.
        at = json.len().min(at + 1);
    }
    false
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

/// Reads a field that may be absent and is not null where it is there. With `#[serde(default)]` beside it.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
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
            assert!(holds_nul(json.as_bytes()), "{json}");
        }
        for json in [r#"{"a": "\\u0000"}"#, r#"{"a": "u0000\n\u0001"}"#, r#"{"a": "\"#] {
            assert!(!holds_nul(json.as_bytes()), "{json}");
        }
    }
}
