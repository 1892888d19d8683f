//! The header `Content-Type` of inputs.

use axum::http::{HeaderMap, header};

use super::XrpcError;

/// The media type of a request's body, with its parameters.
///
/// # Errors
/// When the header is absent or no text.
pub fn content_type(headers: &HeaderMap) -> Result<&str, XrpcError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.ok_or_else(missing)
}

/// The media type of a body without its parameters; `None` if the header is absent.
pub fn essence(headers: &HeaderMap) -> Option<&str> {
    let stated = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(stated.split(';').next().unwrap_or_default().trim())
}

/// Refuses a request whose body is of another media type. Parameters and case do not matter.
///
/// # Errors
/// When it is, or when the request states none.
pub fn expect_content_type(headers: &HeaderMap, expected: &str) -> Result<(), XrpcError> {
    let essence = essence(headers).filter(|essence| !essence.is_empty()).ok_or_else(missing)?;
    if !essence.eq_ignore_ascii_case(expected) {
        let essence = essence.to_ascii_lowercase();
        return Err(XrpcError::invalid(format!("Wrong request encoding (Content-Type): {essence}")));
    }
    Ok(())
}

fn missing() -> XrpcError {
    XrpcError::invalid("Request encoding (Content-Type) required but not provided")
}
