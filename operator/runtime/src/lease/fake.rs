//! An API server for tests that has one Lease.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, Request, Response};
use kube::Client;
use kube::api::Api;
use kube::client::Body;
use serde_json::{Value, json};

use super::Candidate;

/// An API server with one Lease, which compares versions as the real one does.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Shelf>>);

#[derive(Default)]
pub(crate) struct Shelf {
    lease: Option<Value>,
    pub(crate) version: u64,
    pub(crate) down: bool,
    /// The answers of writes are lost, but the writes are done.
    pub(crate) deaf: bool,
}

impl Server {
    pub(crate) fn candidate(&self, identity: &str) -> Candidate {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().answer(request));
        let api = Api::namespaced(Client::new(service, "system"), "system");
        Candidate::new(api, "leader", identity.into())
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let (code, answer) = self.change(&parts.method, serde_json::from_slice(&body).unwrap_or_default());
        Ok(Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }

    fn change(&self, method: &Method, mut wanted: Value) -> (u16, Value) {
        let mut shelf = self.shelf();
        let failed = |code: u16| {
            let reason = if code == 404 { "NotFound" } else { "Test" };
            (code, json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason}))
        };
        if shelf.down {
            return failed(503);
        }
        if method == Method::GET {
            return shelf.lease.clone().map_or(failed(404), |lease| (200, lease));
        }
        let there = shelf.lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
        let may = if method == Method::POST {
            there.is_none()
        } else {
            there == Some(wanted["metadata"]["resourceVersion"].clone())
        };
        if !may {
            return failed(409);
        }
        shelf.version += 1;
        wanted["metadata"]["resourceVersion"] = json!(shelf.version.to_string());
        shelf.lease = Some(wanted.clone());
        if shelf.deaf { failed(503) } else { (200, wanted) }
    }

    pub(crate) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn spec(&self, field: &str) -> Value {
        self.shelf().lease.as_ref().map(|lease| lease["spec"][field].clone()).unwrap_or_default()
    }

    pub(crate) fn write(&self, field: &str, value: Value) {
        let mut shelf = self.shelf();
        shelf.version += 1;
        let version = json!(shelf.version.to_string());
        let lease = shelf.lease.as_mut().unwrap();
        lease["metadata"]["resourceVersion"] = version;
        lease["spec"][field] = value;
    }
}
