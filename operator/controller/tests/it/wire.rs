//! Stands between an operator and the API server: gives it its own rights, remembers what it asks, and can end it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Service};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It goes through.
    Pass,
    /// It goes through, but nobody learns how it ended.
    Swallow,
    /// It never leaves.
    Refuse,
    /// Whoever waits for the answer panics.
    Panic,
}

/// What happens to a request that a test spoils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoil {
    /// The API server sees a user without rights, and refuses.
    Forbid,
    /// The operator panics while it waits for the answer.
    Panic,
}

/// Every request of one process passes its gate.
#[derive(Debug)]
pub(crate) struct Gate {
    user: HeaderValue,
    dies_after: Option<usize>,
    writes: AtomicUsize,
    /// Verb and path of every request other than watches.
    lines: Mutex<Vec<String>>,
    /// Verb and path of the requests that are spoiled.
    spoiled: Mutex<Vec<(String, Spoil)>>,
}

impl Gate {
    /// The API server sees `user`. The process dies right after a certain write, before it learns how that ended.
    pub(crate) fn new(user: &str, dies_after: Option<usize>) -> Self {
        let user = HeaderValue::from_str(user).unwrap();
        Self { user, dies_after, writes: AtomicUsize::new(0), lines: Mutex::default(), spoiled: Mutex::default() }
    }

    /// Writes other than Events, and other than those of the Lease, which never end.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dies_after.is_some_and(|last| self.writes() >= last)
    }

    /// Verb and path of what was asked, other than watches, of which `about` is a part.
    pub(crate) fn traffic(&self, about: &str) -> Vec<String> {
        let all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|line| line.contains(about)).cloned().collect()
    }

    /// Spoils requests with this verb and path, `GET /api/v1/...`, until they are mended.
    pub(crate) fn spoil(&self, line: &str, how: Spoil) {
        self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).push((line.to_owned(), how));
    }

    /// Lets requests with this verb and path through again.
    pub(crate) fn mend(&self, line: &str) {
        self.spoiled.lock().unwrap_or_else(PoisonError::into_inner).retain(|(spoiled, _)| spoiled != line);
    }

    fn how_spoiled(&self, line: &str) -> Option<Spoil> {
        let spoiled = self.spoiled.lock().unwrap_or_else(PoisonError::into_inner);
        spoiled.iter().find(|(spoiled, _)| spoiled == line).map(|(_, how)| *how)
    }

    fn judge(&self, request: &mut Request<Body>) -> Verdict {
        if self.is_dead() {
            return Verdict::Refuse;
        }
        request.headers_mut().insert("Impersonate-User", self.user.clone());
        let uri = request.uri();
        if uri.path().contains("/leases") {
            return Verdict::Pass;
        }
        if !uri.query().unwrap_or_default().contains("watch=true") {
            let line = format!("{} {}", request.method(), uri.path());
            let how = self.how_spoiled(&line);
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            match how {
                Some(Spoil::Panic) => return Verdict::Panic,
                Some(Spoil::Forbid) => {
                    request.headers_mut().insert("Impersonate-User", HeaderValue::from_static("nobody"));
                    return Verdict::Pass;
                }
                None => {}
            }
        }
        if request.method() == Method::GET || uri.path().contains("/events") {
            return Verdict::Pass;
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.dies_after == Some(number) { Verdict::Swallow } else { Verdict::Pass }
    }
}

/// A client whose requests pass `gate`.
pub(crate) fn through(config: Config, gate: Arc<Gate>) -> Client {
    let layer = tower::layer::layer_fn(move |inner| Wire { inner, gate: gate.clone() });
    ClientBuilder::try_from(config).unwrap().with_layer(&layer).build()
}

struct Wire<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S, B> Service<Request<Body>> for Wire<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
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
            Verdict::Panic => Box::pin(async { panic!("a fault that the test asked for: Secret {{ password }}") }),
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
