//! Documents at well-known places.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use pds_store::account::{self, Status};
use pds_syntax::Handle;
use serde_json::json;

use super::host::host;
use crate::{app::App, xrpc::XrpcError};

/// `/`: what this server is.
pub async fn banner(State(app): State<App>) -> String {
    format!(
        "This is an AT Protocol Personal Data Server: {}\n\nMost API routes are under /xrpc/\n",
        app.settings.service.hostname
    )
}

/// `/robots.txt`: the data is public, and crawlers limit themselves.
pub async fn robots() -> &'static str {
    "# Crawling the public API is allowed\nUser-agent: *\nAllow: /\n"
}

/// `/.well-known/atproto-did`: the DID of the account whose handle the request's host is.
pub async fn atproto_did(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, XrpcError> {
    let found = match host(&uri, &headers).and_then(|host| host.parse::<Handle>().ok()) {
        Some(handle) => account::by_handle(&app.db, &handle).await?,
        None => None,
    };
    Ok(match found.filter(|account| account.status() == Status::Active) {
        Some(account) => ([(header::CONTENT_TYPE, "text/plain")], account.did.to_string()).into_response(),
        None => (StatusCode::NOT_FOUND, "User not found").into_response(),
    })
}

/// `/.well-known/did.json`: the server's own did:web.
pub async fn did_json(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    let service = &app.settings.service;
    let ours = service.did.as_str() == format!("did:web:{}", service.hostname);
    if !ours || host(&uri, &headers).as_deref() != Some(service.hostname.as_str()) {
        return (StatusCode::NOT_FOUND, "Not found").into_response();
    }
    Json(json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": service.did,
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": service.public_url()}],
    }))
    .into_response()
}
