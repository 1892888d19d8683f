//! Another service: answers as a test wants it, and remembers what it was asked.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode},
    response::Response,
};
use futures::{future::BoxFuture, stream};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The service token.
    pub(crate) fn token(&self) -> &str {
        self.header("authorization").strip_prefix("Bearer ").unwrap_or_else(|| panic!("no token in {self:?}"))
    }
}

type Answer = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// A service on loopback.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Inner>);

struct Inner {
    url: String,
    answers: Mutex<HashMap<String, Answer>>,
    seen: Mutex<Vec<Seen>>,
    /// Requests that are being answered.
    open: AtomicUsize,
}

/// Counts a request as being answered, whatever ends it.
struct Open(Arc<Inner>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, seen, open) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        let this = Self(Arc::new(Inner { url, answers, seen, open }));
        let routes = Router::new().fallback(answer).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// The settings with which it is the app view.
    pub(crate) fn as_app_view(&self) -> Vec<(&'static str, String)> {
        vec![("PDS_BSKY_APP_VIEW_URL", self.url().to_owned()), ("PDS_BSKY_APP_VIEW_DID", APP_VIEW.to_owned())]
    }

    /// Answers a method with JSON.
    pub(crate) fn json(&self, method: &str, status: u16, headers: &[(&'static str, &str)], body: Value) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.answer(method, move |_| {
            let mut response = Response::builder().status(status).header("content-type", "application/json");
            for (name, value) in &headers {
                response = response.header(HeaderName::from_static(name), value);
            }
            let body = body.to_string();
            Box::pin(async move { response.body(Body::from(body)).unwrap() })
        });
    }

    /// Answers a method in any way.
    pub(crate) fn answer(
        &self,
        method: &str,
        answer: impl Fn(Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) {
        self.0.answers.lock().unwrap().insert(method.to_owned(), Arc::new(answer));
    }

    /// Never answers a method.
    pub(crate) fn silent(&self, method: &str) {
        self.answer(method, |_| Box::pin(std::future::pending()));
    }

    /// Answers a method with a body that has no end.
    pub(crate) fn endless(&self, method: &str, piece: usize) {
        self.answer(method, move |_| {
            let pieces = stream::repeat_with(move || Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; piece])));
            Box::pin(async move { Response::new(Body::from_stream(pieces)) })
        });
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// The last request that arrived.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("a request has arrived")
    }

    /// Waits until so many requests are being answered.
    pub(crate) async fn wait_for_open(&self, count: usize) {
        while self.0.open.load(Ordering::SeqCst) != count {
            tokio::task::yield_now().await;
        }
    }
}

/// The DID of the app view of tests.
pub(crate) const APP_VIEW: &str = "did:web:api.example.com";

async fn answer(State(Upstream(inner)): State<Upstream>, request: Request) -> Response {
    inner.open.fetch_add(1, Ordering::SeqCst);
    let open = Open(inner.clone());
    let (parts, body) = request.into_parts();
    let method = parts.uri.path().trim_start_matches("/xrpc/").to_owned();
    let answer = inner.answers.lock().unwrap().get(&method).cloned();
    let mut seen = Seen {
        method: parts.method.clone(),
        path: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers.clone(),
        body: Bytes::new(),
    };
    let response = match answer {
        // One that looks at the body itself.
        Some(answer) if parts.headers.contains_key("x-atproto-unread") => {
            inner.seen.lock().unwrap().push(seen);
            answer(Request::from_parts(parts, body)).await
        }
        answer => {
            let Ok(read) = to_bytes(body, usize::MAX).await else { return Response::new(Body::empty()) };
            seen.body = read.clone();
            inner.seen.lock().unwrap().push(seen);
            match answer {
                Some(answer) => answer(Request::from_parts(parts, Body::from(read))).await,
                None => Response::builder()
                    .status(StatusCode::NOT_IMPLEMENTED)
                    .header("content-type", "application/json")
                    .body(Body::from(json!({"error": "MethodNotImplemented", "message": method}).to_string()))
                    .unwrap(),
            }
        }
    };
    // Bodies that are counted are streams; a length that is known stays so.
    let length = response.body().size_hint().exact();
    let mut response = response;
    if let Some(length) = length {
        response.headers_mut().insert("content-length", length.into());
    }
    response.map(|body| {
        let open = Arc::new(open);
        Body::from_stream(futures::StreamExt::map(body.into_data_stream(), move |piece| {
            let _open = &open;
            piece
        }))
    })
}

/// A server that reads a request's head, says `answer` and closes the connection. Counts connections.
pub(crate) async fn raw(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = socket.read_u8().await else { return };
                    head.push(byte);
                }
                let _ = socket.write_all(answer).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    (address, count)
}
