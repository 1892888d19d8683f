//! Whether the process is alive, whether it can serve, and its metrics.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use pds_store::Dialect;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    app::{App, DatabaseAnswer},
    metrics::Volume,
    trace,
    xrpc::XrpcError,
};

/// A database or a volume that takes longer to answer counts as unavailable.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the result of a check is used for all requests: anybody may send any number of them.
const SHARED: Duration = Duration::from_secs(1);

/// `/livez`: the process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `/readyz`: 200 if everything works that all requests need; else 503 with the part that does not. The blob store is not checked: most
/// requests need no blob, and would all fail if no replica were ready. `aurora_blob_store_up` shows its state.
pub async fn ready(State(app): State<App>) -> Response {
    let checks = [
        ("server", if app.shutdown.is_cancelled() { Err("stopping") } else { Ok(()) }),
        ("database", database(&app).await),
    ];
    let ready = checks.iter().all(|(_, check)| check.is_ok());
    let detail: Map<String, Value> =
        checks.into_iter().map(|(name, check)| (name.to_owned(), check.err().unwrap_or("ok").into())).collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "checks": detail}))).into_response()
}

/// `/xrpc/_health`, as the reference has it.
pub async fn xrpc(State(app): State<App>) -> Response {
    match database(&app).await {
        Ok(()) => Json(json!({"version": env!("CARGO_PKG_VERSION")})).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "Service Unavailable"}))).into_response(),
    }
}

/// Whether the database answers. It is asked at most once a second; requests during a check wait for its result.
async fn database(app: &App) -> Result<(), &'static str> {
    let mut last = app.database_answer.lock().await;
    if let Some(last) = *last
        && last.at.elapsed() < SHARED
    {
        return last.answer;
    }
    let answer = match timeout(PATIENCE, app.db.ping()).await {
        Ok(answer) => answer.map_err(|_| "unavailable"),
        Err(_) => Err("no answer in time"),
    };
    *last = Some(DatabaseAnswer { at: Instant::now(), answer });
    answer
}

/// `GET /metrics` on the metrics port, in the OpenMetrics text format.
pub async fn metrics(State(app): State<App>) -> Result<Response, XrpcError> {
    let accounts = pds_store::account::count(&app.db).await.ok();
    app.metrics.set_gauges(app.db.connections(), app.db.max_connections(), accounts);
    if let Ok(count) = pds_store::blob::count_lost(&app.db).await {
        app.metrics.set_lost_blobs(count);
    }
    if let Ok(waiting) = pds_store::mail::waiting(&app.db).await {
        app.metrics.set_mails_waiting(waiting.count, waiting.oldest.map(|at| at / 1_000_000));
    }
    let head = pds_store::event::head(&app.db).await.ok();
    app.metrics.set_queues(app.committer.waiting(), head, app.db.waits(), app.connections.count());
    if trace::is_on() {
        app.metrics.set_trace_exports(trace::batches());
    }
    app.metrics.set_slow_queries(app.db.slow_statements());
    app.metrics.set_loads_waiting(app.actors.loads_waiting());
    app.metrics.set_held(app.inputs.used(), app.answers.used(), app.sequencer.followers_reading());
    app.metrics.set_calls_under_way(app.upstreams.under_way());
    if let Some((up, failures)) = app.rate_limits.redis() {
        app.metrics.set_redis(up, failures);
    }
    let size_bytes = pds_store::full::size_bytes(&app.db).await.ok().flatten();
    app.metrics.set_storage(app.db.is_full(), size_bytes, data_volume(&app).await);
    let text = app.metrics.text().map_err(|error| XrpcError::internal("writing metrics", &error))?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// The volume of the data directory, if the database is on it and the system answers in time.
async fn data_volume(app: &App) -> Option<Volume> {
    if app.db.dialect() != Dialect::Sqlite {
        return None;
    }
    let folder = app.settings.service.data_directory.clone();
    let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&folder));
    let volume = timeout(PATIENCE, asked).await.ok()?.ok()?.ok()?;
    Some(Volume {
        size_bytes: volume.f_blocks.saturating_mul(volume.f_frsize),
        available_bytes: volume.f_bavail.saturating_mul(volume.f_frsize),
    })
}
