//! CAR files in requests and answers.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};

/// The media type of CAR files. Source: <https://www.iana.org/assignments/media-types/application/vnd.ipld.car>.
pub(super) const CAR: &str = "application/vnd.ipld.car";

/// An answer with a CAR file.
pub(super) fn answer(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, CAR)], body.into()).into_response()
}
