//! A proxy before a real server: counts requests, lets a process die between two of them, and takes abilities away from the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::sync::Notify;

/// Answers a request instead of the server: status and code.
pub(crate) type Refusal = fn(&Request) -> Option<(u16, &'static str)>;

#[derive(Clone)]
pub(crate) struct Proxy(Arc<Inner>);

struct Inner {
    target: String,
    client: reqwest::Client,
    refusal: Refusal,
    /// How many requests still pass.
    left: AtomicUsize,
    writes: AtomicUsize,
    ended: Notify,
}

impl Proxy {
    /// Gives the proxy and its address.
    pub(crate) async fn start(target: &str, refusal: Refusal) -> (Self, String) {
        let (client, left) = (reqwest::Client::new(), AtomicUsize::new(usize::MAX));
        let (writes, ended) = (AtomicUsize::new(0), Notify::new());
        let proxy = Self(Arc::new(Inner { target: target.into(), client, refusal, left, writes, ended }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        (proxy, address)
    }

    /// Runs a future until it has sent so many requests and waits for the answer of the next; `None` if it died there.
    pub(crate) async fn run<T>(&self, requests: usize, future: impl Future<Output = T>) -> Option<T> {
        self.0.left.store(requests, Ordering::SeqCst);
        let result = tokio::select! {
            biased;
            () = self.0.ended.notified() => None,
            result = future => Some(result),
        };
        self.0.left.store(usize::MAX, Ordering::SeqCst);
        result
    }

    /// Requests so far that may have changed something.
    pub(crate) fn writes(&self) -> usize {
        self.0.writes.load(Ordering::SeqCst)
    }
}

async fn pass(State(Proxy(proxy)): State<Proxy>, request: Request) -> Response {
    let took = proxy.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if took.is_err() {
        proxy.ended.notify_one();
        std::future::pending::<()>().await;
    }
    if let Some((status, code)) = (proxy.refusal)(&request) {
        let body = format!("<Error><Code>{code}</Code><Message>not here</Message></Error>");
        return Response::builder().status(status).body(Body::from(body)).unwrap();
    }
    let (parts, body) = request.into_parts();
    let reads = parts.method == "GET" || parts.method == "HEAD";
    // IAM is POST for everything.
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let asks = ["Action=Get", "Action=List"].iter().any(|action| body.starts_with(action.as_bytes()));
    if !reads && !asks {
        proxy.writes.fetch_add(1, Ordering::SeqCst);
    }
    let url = format!("{}{}", proxy.target, parts.uri);
    // The host is part of the signature and stays what the client said.
    let answer = proxy.client.request(parts.method, url).headers(parts.headers).body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}
