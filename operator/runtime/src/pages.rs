//! `/metrics`, `/healthz` and `/readyz`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;

use crate::metrics::Metrics;

/// A reconciliation that runs longer than this makes the process unhealthy. Its own time limit is far below.
const STUCK: Duration = Duration::from_secs(900);

/// For how long a rendering of the metrics serves.
const FRESH: Duration = Duration::from_secs(1);

/// What the pages show.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// What was counted.
    pub metrics: Arc<Metrics>,
    ready: Arc<AtomicBool>,
    running: Arc<Mutex<HashMap<u64, Instant>>>,
    rendered: Arc<Mutex<Option<(Instant, Bytes)>>>,
}

impl Pages {
    /// The process is up. A standby is ready too.
    pub fn started(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// The process ends soon.
    pub fn stopping(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    /// A reconciliation runs as long as what this gives lives.
    #[must_use]
    pub fn running(&self) -> Running {
        let id = rand::random();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
        Running { id, pages: self.clone() }
    }

    /// The metrics as text, at most a second old: everybody who asks shares one rendering.
    fn text(&self) -> Result<Bytes, std::fmt::Error> {
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, text)) = &*rendered
            && since.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let text = Bytes::from(self.metrics.text()?);
        *rendered = Some((Instant::now(), text.clone()));
        Ok(text)
    }

    fn is_stuck(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().any(|since| since.elapsed() > STUCK)
    }
}

/// A reconciliation that runs.
#[derive(Debug)]
pub struct Running {
    id: u64,
    pages: Pages,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pages.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// The routes.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages)
}

async fn healthy(State(pages): State<Pages>) -> Response {
    if pages.is_stuck() {
        (StatusCode::SERVICE_UNAVAILABLE, "a reconciliation does not end\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

async fn ready(State(pages): State<Pages>) -> Response {
    if pages.ready.load(Ordering::Relaxed) {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

async fn metrics(State(pages): State<Pages>) -> Response {
    match pages.text() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(pages: &Pages, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router(pages.clone()).oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconciliation_that_does_not_end_makes_the_process_unhealthy() {
        let pages = Pages::default();
        let running = pages.running();
        tokio::time::advance(STUCK).await;
        let _young = pages.running();
        assert_eq!(ask(&pages, "/healthz").await, StatusCode::OK);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(ask(&pages, "/healthz").await, StatusCode::SERVICE_UNAVAILABLE);
        drop(running);
        assert_eq!(ask(&pages, "/healthz").await, StatusCode::OK, "the other one runs for a second");
    }

    #[tokio::test]
    async fn a_process_is_ready_from_its_start_until_it_ends() {
        let pages = Pages::default();
        assert_eq!(ask(&pages, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
        pages.started();
        assert_eq!(ask(&pages, "/readyz").await, StatusCode::OK);
        pages.stopping();
        assert_eq!(ask(&pages, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
