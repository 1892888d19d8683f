//! The header `Authorization`.

use axum::http::HeaderValue;

/// The credential of an `Authorization` header with the given scheme, whose case does not matter (RFC 9110 section 11.1).
pub(super) fn credential<'a>(value: &'a HeaderValue, scheme: &str) -> Option<&'a str> {
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
