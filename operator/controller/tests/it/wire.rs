//! Stands between a client and the API server: counts, hides, refuses.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Service};

use super::rights::USER;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes through.
    Pass,
    /// It goes through, but nobody learns how it ended.
    Swallow,
    /// It never leaves.
    Refuse,
}

/// Looks at every request.
pub(crate) trait Gate: Send + Sync + 'static {
    fn judge(&self, request: &mut Request<Body>) -> Verdict;
}

/// A client whose requests pass `gate`.
pub(crate) fn through(config: Config, gate: Arc<impl Gate>) -> Client {
    let layer = tower::layer::layer_fn(move |inner| Wire { inner, gate: gate.clone() });
    ClientBuilder::try_from(config).unwrap().with_layer(&layer).build()
}

struct Wire<S, G> {
    inner: S,
    gate: Arc<G>,
}

impl<S, G, B> Service<Request<Body>> for Wire<S, G>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    G: Gate,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let dead = || BoxError::from("the process is dead");
        match self.gate.judge(&mut request) {
            Verdict::Refuse => Box::pin(async move { Err(dead()) }),
            Verdict::Pass => {
                let answer = self.inner.call(request);
                Box::pin(async move { answer.await.map_err(Into::into) })
            }
            Verdict::Swallow => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    answer.await.map_err(Into::into)?;
                    Err(dead())
                })
            }
        }
    }
}

/// Remembers requests: verb and path.
#[derive(Default)]
pub(crate) struct Traffic(Mutex<Vec<String>>);

impl Traffic {
    pub(crate) fn about(&self, namespace: &str) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|line| line.contains(namespace)).cloned().collect()
    }
}

/// The operator that the tests share: has its rights, counts, does not see the instances that a test reconciles by
/// itself, which are those with the label `alone`.
pub(crate) struct Alone(pub(crate) Arc<Traffic>);

impl Gate for Alone {
    fn judge(&self, request: &mut Request<Body>) -> Verdict {
        request.headers_mut().insert("Impersonate-User", HeaderValue::from_static(USER));
        let line = format!("{} {}", request.method(), request.uri().path());
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        if request.uri().path() == "/apis/auroralocus.dev/v1alpha1/pdsinstances" {
            let query = request.uri().query().unwrap_or_default();
            let uri = format!("{}?{query}&labelSelector=%21alone", request.uri().path());
            *request.uri_mut() = uri.parse().unwrap();
        }
        Verdict::Pass
    }
}

/// The process dies right after a certain write, before it learns how that ended.
#[derive(Default)]
pub(crate) struct Mortal {
    dies_after: Option<usize>,
    writes: AtomicUsize,
    requests: AtomicUsize,
}

impl Mortal {
    pub(crate) fn new(dies_after: Option<usize>) -> Self {
        Self { dies_after, ..Self::default() }
    }

    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dies_after.is_some_and(|last| self.writes() >= last)
    }
}

impl Gate for Mortal {
    fn judge(&self, request: &mut Request<Body>) -> Verdict {
        if self.is_dead() {
            return Verdict::Refuse;
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        if request.method() == Method::GET {
            return Verdict::Pass;
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.dies_after == Some(number) { Verdict::Swallow } else { Verdict::Pass }
    }
}
