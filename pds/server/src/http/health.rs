//! Is the process alive, and can it serve?

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{app::App, xrpc::XrpcError};

/// A dependency that takes longer is as good as away.
const PATIENCE: Duration = Duration::from_secs(2);

/// `/livez`: the process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `/readyz`: everything a request needs is there; else 503, naming what is not.
pub async fn ready(State(app): State<App>) -> Response {
    let (database, blobs) = tokio::join!(timeout(PATIENCE, app.db.ping()), timeout(PATIENCE, app.blobs.health()));
    let checks = [
        ("server", if app.shutdown.is_cancelled() { Err("stopping") } else { Ok(()) }),
        ("database", database.map_err(|_| "no answer in time").and_then(|answer| answer.map_err(|_| "unavailable"))),
        ("blobStore", blobs.map_err(|_| "no answer in time").and_then(|answer| answer.map_err(|_| "unavailable"))),
    ];
    let ready = checks.iter().all(|(_, check)| check.is_ok());
    let detail: Map<String, Value> =
        checks.into_iter().map(|(name, check)| (name.to_owned(), check.err().unwrap_or("ok").into())).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "checks": detail}))).into_response()
}

/// `/xrpc/_health`, as the reference has it.
pub async fn xrpc(State(app): State<App>) -> Response {
    match app.db.ping().await {
        Ok(()) => Json(json!({"version": env!("CARGO_PKG_VERSION")})).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "Service Unavailable"}))).into_response(),
    }
}

/// `/metrics`.
pub async fn metrics(State(app): State<App>) -> Result<Response, XrpcError> {
    let accounts = pds_store::account::count(&app.db).await.ok();
    app.metrics.set_gauges(app.db.connections(), app.db.max_connections(), accounts);
    if let Some((up, failures)) = app.rate_limits.redis() {
        app.metrics.set_redis(up, failures);
    }
    let text = app.metrics.text().map_err(|error| XrpcError::internal("writing metrics", &error))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
