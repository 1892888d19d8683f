//! The methods of this server for people and programs: `/openapi.json` and a page. Both come from the table of methods and the lexicons.

mod document;
mod page;
mod schema;

use std::sync::OnceLock;

use axum::{
    body::Bytes,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::app::App;

/// Only what the page itself has.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json`
pub async fn json(State(app): State<App>) -> Response {
    // The same for all requests: made once, at most a few hundred kilobytes.
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| document::document(&app.settings.service.public_url()).to_string().into());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, text.clone()).into_response()
}

/// `/openapi`: the same for readers.
pub async fn html() -> Response {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| page::page().into());
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text.clone()).into_response()
}
