//! What every request gets: an id, a log line, a metric, and limits on slow bodies and answers.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, header::Entry},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    answer::{Answers, Occupying},
    pace::Pace,
    sample::{Line, Sampling},
};
use crate::{
    app::App,
    auth::Caller,
    rate_limit::{Budget, Client, Connection},
    trace,
    xrpc::{ErrorName, XrpcError},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Maximum of what is still read of a body when the answer is known.
const DRAIN_BYTES: usize = 32 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How long a client may send nothing of a body, and the least rate after that in bytes per second.
const SEND_STALL: Duration = Duration::from_secs(30);
const SEND_RATE: u32 = 8 * 1024;

/// Marks the connection as having an open request until the answer is taken to its end.
pub async fn occupy(request: Request, next: Next) -> Response {
    let Some(busy) = request.extensions().get::<Connection>().map(Connection::busy) else {
        return next.run(request).await;
    };
    next.run(request).await.map(|body| Body::new(Occupying::new(body, busy)))
}

/// Limits the requests that wait for their answers, of each address and in all: over HTTP/2 one connection has many. When all places are taken, the
/// address with most loses its oldest connection.
pub async fn bound_requests(State(open): State<Budget>, client: Client, request: Request, next: Next) -> Response {
    let Some(_open) = open.take(&client, 1) else {
        return XrpcError::unavailable("Too many requests wait for their answers, try again", 1).into_response();
    };
    next.run(request).await
}

/// Limits the memory of answers that wait for their readers.
pub async fn bound_answers(State(answers): State<Answers>, client: Client, request: Request, next: Next) -> Response {
    let codings = request.headers().get(header::ACCEPT_ENCODING).cloned();
    match answers.hold(&client, codings.as_ref(), next.run(request).await).await {
        Some(answer) => answer,
        None => XrpcError::unavailable("Too many answers wait for their readers, try again", 1).into_response(),
    }
}

/// Reads what a handler left of a request's body, within limits, before the answer is sent: most clients read an answer only after they have
/// sent everything, and would find the connection closed. A client that sends `Expect` waits for the answer, so nothing is read.
pub async fn read_rest_of_body(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let (pace, connection) = (Pace::new(SEND_STALL, SEND_RATE), parts.extensions.get().cloned());
    let rest = Arc::new(Mutex::new(Sent { body: body.into_data_stream(), pace, connection }));
    let handed = rest.clone();
    let body = Body::from_stream(stream::poll_fn(move |context| lock(&handed).poll_next(context)));
    let answer = next.run(Request::from_parts(parts, body)).await;
    let drain = async {
        let mut bytes = 0;
        while bytes <= DRAIN_BYTES
            && let Some(Ok(piece)) = stream::poll_fn(|context| lock(&rest).poll_next(context)).next().await
        {
            bytes += piece.len();
        }
    };
    let _ = timeout(DRAIN_TIME, drain).await;
    answer
}

/// A request's body as it arrives; ends with an error if it arrives too slowly.
struct Sent {
    body: BodyDataStream,
    pace: Pace,
    connection: Option<Connection>,
}

impl Sent {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        match self.body.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(piece))) => {
                self.pace.moved(piece.len());
                if let Some(connection) = &self.connection {
                    connection.got_on();
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Pending if self.pace.poll_late(context).is_ready() => {
                Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
            }
            polled => polled,
        }
    }
}

fn lock(sent: &Mutex<Sent>) -> std::sync::MutexGuard<'_, Sent> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the request its id (that of a trusted proxy, or a new one), logs and counts it.
pub async fn observe(
    State((app, sampling)): State<(App, Arc<Sampling>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let is_from_proxy = is_from_proxy(&app, &request);
    let id = request_id(&request, is_from_proxy);
    let verb = request.method().clone();
    let method = label(&verb);
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let route = route.strip_prefix("/xrpc/").unwrap_or(route).to_owned();
    // One span for log and trace: with two, work on other tasks would be a part of one of them alone.
    let span = match trace::is_on() {
        true => tracing::info_span!("request", request.id = %id, route, otel.kind = "server"),
        false => tracing::info_span!("request", request.id = %id, route),
    };
    trace::begin(&span, method, &route, Some(request.headers()).filter(|_| is_from_proxy));
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let signed = request.headers().contains_key(header::AUTHORIZATION);
    let mut answer = next.run(request).instrument(span.clone()).await;
    if signed || answer.status() == StatusCode::UNAUTHORIZED {
        keep_private(answer.headers_mut());
    }

    let (status, took) = (answer.status().as_u16(), began.elapsed());
    app.metrics.answered(method, &route, status, took);
    trace::end(&span, status);
    let error = answer.extensions().get::<ErrorName>().map(|name| name.0);
    let did = caller.did().map(|did| did.as_str());
    let duration_ms = took.as_secs_f64() * 1000.0;
    let logged = sampling.take(&verb, &route, answer.status());
    if status >= 500 {
        tracing::warn!(request.id = %id, method, route, status, duration_ms, error, account.did = did, "{method} {route} answered {status}");
    } else if let Some(Line { stands_for, left_out }) = logged {
        tracing::info!(request.id = %id, method, route, status, duration_ms, error, account.did = did, stands_for, left_out, "{method} {route} answered {status}");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}

/// No cache may give one caller's answer to another, unless the answer has its own `Cache-Control`.
fn keep_private(headers: &mut HeaderMap) {
    if let Entry::Vacant(entry) = headers.entry(header::CACHE_CONTROL) {
        entry.insert(HeaderValue::from_static("private"));
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
    }
}

/// The method as a label. Clients can make up any number of methods, so unknown ones share a label.
fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Whether what the request says of itself is the word of a trusted proxy.
fn is_from_proxy(app: &App, request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
    peer.is_some_and(|peer| app.settings.service.trusted_proxies.iter().any(|network| network.contains(peer)))
}

fn request_id(request: &Request, is_from_proxy: bool) -> String {
    let given = request.headers().get(REQUEST_ID).filter(|_| is_from_proxy).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => id.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}
