//! What every request gets: an id, a log line, a count.

use std::time::Instant;

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, header::Entry},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

use crate::{app::App, auth::Caller, xrpc::ErrorName};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
