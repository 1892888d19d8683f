//! Outputs of methods.

use axum::{
    Json,
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
