//! A collector of traces: takes spans as a real one does, and keeps them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message;
use tokio::net::TcpListener;

/// A span as it arrived. Ids are hex digits.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty if it has none.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) attributes: HashMap<String, String>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<Traced>, Vec<HeaderMap>)>>);

/// Listens on loopback.
pub(crate) struct Collector {
    port: u16,
    kept: Kept,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::on(0).await
    }

    pub(crate) async fn on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (port, kept) = (listener.local_addr().unwrap().port(), Kept::default());
        let routes = Router::new().route("/v1/traces", post(take)).with_state(kept.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { port, kept }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn spans(&self) -> Vec<Traced> {
        self.kept.0.lock().unwrap().0.clone()
    }

    /// The headers of all requests.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.kept.0.lock().unwrap().1.clone()
    }

    /// The spans of a trace, once they are as a test wants them.
    pub(crate) async fn until(&self, trace: &str, complete: impl Fn(&[Traced]) -> bool) -> Vec<Traced> {
        let began = Instant::now();
        loop {
            let spans: Vec<_> = self.spans().into_iter().filter(|span| span.trace == trace).collect();
            if complete(&spans) {
                return spans;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{spans:#?} of {:#?}", self.spans());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn take(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let mut kept = kept.0.lock().unwrap();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        let spans = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
        kept.0.extend(spans.map(|span| Traced {
            service: resource.get("service.name").cloned().unwrap_or_default(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name,
            attributes: attributes(span.attributes),
        }));
    }
    kept.1.push(headers);
    StatusCode::OK
}

fn attributes(of: Vec<KeyValue>) -> HashMap<String, String> {
    of.into_iter().map(|pair| (pair.key, pair.value.map_or_else(String::new, text))).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
