//! Traces: spans of requests, statements and calls, sent to an OpenTelemetry collector if the host has named one.
//!
//! Spans of requests are those of the log; all others have the target [`SPANS`]. Without a collector these are disabled, which costs a comparison each.
//! Attributes are names and numbers of this program: never a token, an identifier of an account, an address or a value of a query.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use opentelemetry::{
    propagation::TextMapPropagator,
    trace::{Status, TraceContextExt, TracerProvider},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use pds_config::{SamplerRule, Secrets, Traces, var};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tracing::{Metadata, Span, Subscriber, subscriber::Interest};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, layer, registry::LookupSpan};

use crate::report::chain;

/// Target of the spans of traces.
pub const SPANS: &str = pds_store::SPANS;

/// The longest wait for the collector to take a batch of spans.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait for it when the server ends.
const LAST_BATCH: Duration = Duration::from_secs(3);
/// Maximum size of what is read of its answers.
const ANSWER_BYTES: usize = 64 * 1024;

static ON: AtomicBool = AtomicBool::new(false);
/// Batches that the collector has taken, and those that it has not.
static SENT: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
/// Whether the log says that the collector is away.
static AWAY: AtomicBool = AtomicBool::new(false);

/// Whether requests are traced.
#[must_use]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The span to continue on another task; none unless requests are traced.
#[must_use]
pub fn current() -> Span {
    if is_on() { Span::current() } else { Span::none() }
}

/// Says what the span of a request is about, before it is entered. It is a part of the trace that the headers of a trusted proxy name, or begins one.
pub fn begin(span: &Span, method: &'static str, route: &str, trusted: Option<&HeaderMap>) {
    if !is_on() {
        return;
    }
    if let Some(headers) = trusted {
        let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Refused only if no layer makes traces.
        let _ = span.set_parent(parent);
    }
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.to_owned());
    span.context().span().update_name(route.to_owned());
}

/// Says how a request was answered.
pub fn end(span: &Span, status: u16) {
    if is_on() {
        span.set_attribute("http.response.status_code", i64::from(status));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
    }
}

/// Names the current span in the headers of a request to another service.
pub fn name_in(headers: &mut HeaderMap) {
    if is_on() {
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeaderInjector(headers));
    }
}

/// Batches of spans that the collector has taken, and batches that it has not taken.
#[must_use]
pub fn batches() -> (u64, u64) {
    (SENT.load(Ordering::Relaxed), FAILED.load(Ordering::Relaxed))
}

/// Sends spans from now on. The queue is bounded: spans that do not fit are dropped.
pub struct Sending(SdkTracerProvider);

impl Sending {
    /// `None` if the host has named no collector. The collector need not be reachable.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn start(settings: &Traces, secrets: &Secrets, http: reqwest::Client) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.endpoint else { return Ok(None) };
        let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { http, headers: headers(secrets)?, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .with_timeout(PATIENCE)
            .build()
            .context(var::OTEL_EXPORTER_OTLP_ENDPOINT)?;
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler(settings))
            .with_resource(resource);
        ON.store(true, Ordering::Relaxed);
        Ok(Some(Self(provider.build())))
    }

    /// Takes the spans of traces.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync + 'static,
    {
        let spans = tracing_opentelemetry::layer().with_tracer(self.0.tracer("pds"));
        let spans = spans.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
        // What no request waits for, such as the statements of jobs, begins no traces.
        let filter = dynamic_filter_fn(|metadata, context: &layer::Context<'_, S>| {
            is_request(metadata) || (metadata.target() == SPANS && context.lookup_current().is_some())
        });
        // All other places in the program are told once that they are of no interest, and not asked again.
        spans.with_filter(filter.with_callsite_filter(|metadata| match metadata {
            _ if is_request(metadata) => Interest::always(),
            _ if metadata.target() == SPANS => Interest::sometimes(),
            _ => Interest::never(),
        }))
    }

    /// Sends what is left.
    pub async fn stop(self) {
        // Waits on its thread.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_BATCH)).await;
        if let Ok(Err(error)) = stopped {
            tracing::debug!("the last spans were not sent: {error}");
        }
    }
}

/// Whether this is the span of a request, which the log has too.
fn is_request(of: &Metadata<'_>) -> bool {
    of.is_span() && of.name() == "request" && of.target().starts_with("pds_server::http")
}

fn headers(secrets: &Secrets) -> anyhow::Result<HeaderMap> {
    let header = |(name, value): &(String, SecretString)| {
        let mut value = HeaderValue::from_str(value.expose_secret())?;
        value.set_sensitive(true);
        Ok((HeaderName::from_bytes(name.as_bytes())?, value))
    };
    secrets.trace_headers.iter().map(header).collect::<anyhow::Result<_>>().context(var::OTEL_EXPORTER_OTLP_HEADERS)
}

fn sampler(settings: &Traces) -> Sampler {
    let rule = match settings.sampler.rule {
        SamplerRule::All => Sampler::AlwaysOn,
        SamplerRule::None => Sampler::AlwaysOff,
        SamplerRule::Ratio => Sampler::TraceIdRatioBased(f64::from(settings.ratio_millionths) / 1e6),
    };
    if settings.sampler.follows_parent { Sampler::ParentBased(Box::new(rule)) } else { rule }
}

/// Sends requests to the collector on the runtime of the server: the library calls it on a thread of its own.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    /// Of every request.
    headers: HeaderMap,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, headers, (head, body)) = (self.http.clone(), self.headers.clone(), request.into_parts());
        let sent = self.runtime.spawn(async move {
            let request = http.request(head.method, head.uri.to_string()).headers(head.headers).headers(headers);
            let mut answer = request.body(body).timeout(PATIENCE).send().await?;
            let mut bytes = BytesMut::new();
            while let Some(piece) = answer.chunk().await?
                && bytes.len() + piece.len() <= ANSWER_BYTES
            {
                bytes.extend_from_slice(&piece);
            }
            let mut response = Response::new(bytes.freeze());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok::<_, reqwest::Error>(response)
        });
        let sent = sent.await?.map_err(reqwest::Error::without_url);
        note(match &sent {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("it answered {}", response.status())),
            Err(error) => Err(chain(error)),
        });
        Ok(sent?)
    }
}

/// Counts an attempt to send a batch, and logs a change.
fn note(sent: Result<(), String>) {
    let was_away = AWAY.swap(sent.is_err(), Ordering::Relaxed);
    match sent {
        Ok(()) => {
            SENT.fetch_add(1, Ordering::Relaxed);
            if was_away {
                tracing::info!("the collector takes traces again");
            }
        }
        Err(error) => {
            FAILED.fetch_add(1, Ordering::Relaxed);
            if !was_away {
                tracing::warn!(
                    error,
                    "the collector that {} names does not take traces: they are dropped until it does, nothing else is affected",
                    var::OTEL_EXPORTER_OTLP_ENDPOINT
                );
            }
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}
