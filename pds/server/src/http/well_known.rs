//! Documents at well-known places.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use pds_store::account::{self, Status};
use pds_syntax::{Did, Handle};
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
    let now = app.clock.now_us();
    Ok(match found.filter(|account| account.status_at(now) == Status::Active) {
        Some(account) => ([(header::CONTENT_TYPE, "text/plain")], account.did.to_string()).into_response(),
        None => (StatusCode::NOT_FOUND, "User not found").into_response(),
    })
}

/// `/.well-known/did.json`: the server's own did:web, or that of the account whose did:web the request's host is.
pub async fn did_json(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Result<Response, XrpcError> {
    let service = &app.settings.service;
    let did = host(&uri, &headers).and_then(|host| format!("did:web:{host}").parse::<Did>().ok());
    if did.as_ref() == Some(&service.did) {
        return Ok(own_document(&app));
    }
    let account = match did {
        Some(did) => app.accounts.by_did(&did).await?,
        None => None,
    };
    Ok(match account {
        Some(account) => Json(app.identities.document(&account).await?).into_response(),
        None => (StatusCode::NOT_FOUND, "Not found").into_response(),
    })
}

fn own_document(app: &App) -> Response {
    let service = &app.settings.service;
    Json(json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": service.did,
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": service.public_url()}],
    }))
    .into_response()
}
