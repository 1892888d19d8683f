//! Outputs of methods.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A JSON output.
#[derive(Debug)]
pub struct Output<T>(pub T);

impl<T: Serialize> IntoResponse for Output<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// An output that is JSON text already.
#[derive(Debug)]
pub struct Text(pub Vec<u8>);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
