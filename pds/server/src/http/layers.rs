//! What every request gets: an id, a log line, a count, and to be heard out.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, header::Entry},
    middleware::Next,
    response::Response,
};
use futures::{StreamExt, stream};
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use crate::{app::App, auth::Caller, xrpc::ErrorName};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is still read of a request whose answer is known.
const DRAIN_BYTES: usize = 32 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Reads what a handler left of a request, within bounds, before the answer goes out: most clients look for one only when
/// they have sent everything, and would find the connection gone. One that asks before it sends need not be heard out.
pub async fn hear_out(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let rest = Arc::new(Mutex::new(body.into_data_stream()));
    let handed = rest.clone();
    let body = Body::from_stream(stream::poll_fn(move |context| lock(&handed).poll_next_unpin(context)));
    let answer = next.run(Request::from_parts(parts, body)).await;
    let drain = async {
        let mut bytes = 0;
        while bytes <= DRAIN_BYTES
            && let Some(Ok(piece)) = stream::poll_fn(|context| lock(&rest).poll_next_unpin(context)).next().await
        {
            bytes += piece.len();
        }
    };
    let _ = timeout(DRAIN_TIME, drain).await;
    answer
}

fn lock(body: &Mutex<BodyDataStream>) -> std::sync::MutexGuard<'_, BodyDataStream> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the request its id (that of a trusted proxy, else a new one), logs it once and counts it.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&app, &request);
    let method = verb(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let route = route.strip_prefix("/xrpc/").unwrap_or(route).to_owned();
    let span = tracing::info_span!("request", request.id = %id, route);
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let signed = request.headers().contains_key(header::AUTHORIZATION);
    let mut answer = next.run(request).instrument(span).await;
    if signed || answer.status() == StatusCode::UNAUTHORIZED {
        keep_private(answer.headers_mut());
    }

    let (status, took) = (answer.status().as_u16(), began.elapsed());
    app.metrics.answered(method, &route, status, took);
    let error = answer.extensions().get::<ErrorName>().map(|name| name.0);
    let did = caller.did().map(|did| did.as_str());
    let duration_ms = took.as_secs_f64() * 1000.0;
    if status >= 500 {
        tracing::warn!(request.id = %id, method, route, status, duration_ms, error, account.did = did, "{method} {route} answered {status}");
    } else {
        tracing::info!(request.id = %id, method, route, status, duration_ms, error, account.did = did, "{method} {route} answered {status}");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}

/// No cache may give one caller's answer to another, unless the answer says so itself.
fn keep_private(headers: &mut HeaderMap) {
    if let Entry::Vacant(entry) = headers.entry(header::CACHE_CONTROL) {
        entry.insert(HeaderValue::from_static("private"));
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
    }
}

/// The method as a label: a client can make up names without end.
fn verb(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

fn request_id(app: &App, request: &Request) -> String {
    let peer = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
    let trusted =
        peer.is_some_and(|peer| app.settings.service.trusted_proxies.iter().any(|network| network.contains(peer)));
    let given = request.headers().get(REQUEST_ID).filter(|_| trusted).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}
