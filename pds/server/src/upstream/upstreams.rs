//! Makes calls.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Request, Response, Uri, header::CONTENT_LENGTH};
use moka::future::Cache;
use pds_config::{Proxying, Services};
use pds_identity::Allow;
use pds_syntax::Did;
use tracing::{Instrument, field::Empty};

use super::{
    Answer, Call, Configured, Error, Incoming, Kind, Outgoing, Service,
    breaker::{Attempt, Breaker},
    connect::{self, Pool, pool},
    outgoing::{EndWithAnswer, Sending, in_time},
    places::Places,
};
use crate::{
    metrics::Metrics,
    trace::{self, SPANS},
};

/// Services of which failures are remembered, and for how long after the last call.
const REMEMBERED: u64 = 4_096;
const REMEMBERED_TIME: Duration = Duration::from_secs(600);

/// Calls to other services. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams(Arc<Inner>);

/// What calls are made with.
pub struct Parts {
    /// Limits of time and size.
    pub settings: Proxying,
    /// The services of the settings.
    pub services: Services,
    /// The authorities that are trusted.
    pub tls: rustls::ClientConfig,
    /// Addresses that services which clients name may have, beside public ones.
    pub allow: Allow,
    /// Maximum number of calls under way.
    pub most_calls: usize,
    /// Counts calls.
    pub metrics: Metrics,
}

struct Inner {
    settings: Proxying,
    allow: Allow,
    metrics: Metrics,
    services: [(Kind, Option<Configured>); 3],
    places: Places,
    breakers: Cache<String, Breaker>,
    configured: Pool,
    named: Pool,
}

impl Upstreams {
    /// No connection is open yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { settings, services, tls, allow, most_calls, metrics } = parts;
        let everywhere: Allow = Arc::new(|_, _| true);
        let allow = if settings.any_address { everywhere.clone() } else { allow };
        let http2 = settings.allow_http2;
        Self(Arc::new(Inner {
            services: [
                (Kind::AppView, services.app_view.as_ref()),
                (Kind::Moderation, services.moderation.as_ref()),
                (Kind::Report, services.report.as_ref()),
            ]
            .map(|(kind, remote)| (kind, Configured::new(remote, kind))),
            places: Places::new(most_calls),
            breakers: Cache::builder().max_capacity(REMEMBERED).time_to_idle(REMEMBERED_TIME).build(),
            configured: pool(tls.clone(), everywhere, http2, most_calls),
            named: pool(tls, allow.clone(), http2, most_calls),
            settings,
            allow,
            metrics,
        }))
    }

    /// The service of this kind that the settings name.
    #[must_use]
    pub fn configured(&self, kind: Kind) -> Option<&Configured> {
        self.0.services.iter().find(|(other, _)| *other == kind)?.1.as_ref()
    }

    /// The service of the settings that a client names by `did#fragment`.
    #[must_use]
    pub fn configured_as(&self, did: &Did, fragment: &str) -> Option<&Configured> {
        let mut known = self.0.services.iter().filter_map(|(kind, known)| Some((kind, known.as_ref()?)));
        known.find(|(kind, known)| kind.is_named(known, did, fragment)).map(|(_, known)| known)
    }

    /// The service at a URL that a client has named, if it may be called.
    #[must_use]
    pub fn named(&self, url: &url::Url) -> Option<Service> {
        Service::named(url, &self.0.allow, self.0.settings.any_address)
    }

    /// The limits of time and size.
    #[must_use]
    pub fn settings(&self) -> &Proxying {
        &self.0.settings
    }

    /// Calls under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.places.taken()
    }

    /// Makes a call. Returns with the head of the answer, whatever its status; the call lasts until the answer's body is dropped.
    ///
    /// Cancellation: ends the call.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send(&self, call: Call) -> Result<Answer, Error> {
        let kind = call.service.kind;
        let span = tracing::trace_span!(
            target: SPANS, "call", otel.name = format!("call {}", kind.label()), otel.kind = "client", otel.status_code = Empty,
            http.request.method = call.method.as_str(), http.response.status_code = Empty
        );
        let sent = self.attempt(call).instrument(span.clone()).await;
        if let Ok(answer) = &sent {
            span.record("http.response.status_code", answer.status.as_u16());
        }
        if sent.as_ref().map_or(true, |answer| answer.status.is_server_error()) {
            span.record("otel.status_code", "ERROR");
        }
        let result = match &sent {
            Ok(answer) if answer.status.is_server_error() => "failed",
            Ok(answer) if answer.status.is_client_error() => "refused",
            Ok(_) => "ok",
            Err(error) => error.label(),
        };
        self.0.metrics.called(kind.label(), result);
        sent
    }

    async fn attempt(&self, mut call: Call) -> Result<Answer, Error> {
        trace::name_in(&mut call.headers);
        let Inner { settings, places, breakers, .. } = &*self.0;
        let place = places.take(&call.caller, &call.service, &call.client)?;
        let breaker = breakers.get_with(call.service.key(), async { Breaker::default() }).await;
        let attempt = breaker.admit(Instant::now()).map_err(Error::Resting)?;
        let (caller, is_head) = (hash(&call.caller), call.method == Method::HEAD);
        let upload = call.body.sending().map(EndWithAnswer);
        let sent = self.exchange(call).await;
        settle(attempt, &sent, caller);
        let (head, body) = sent?.into_parts();
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if let Some(found) = length.filter(|length| *length > settings.max_response_bytes && !is_head) {
            return Err(Error::TooLong { found, allowed: settings.max_response_bytes });
        }
        let body = Incoming::new(body, settings.max_response_bytes, settings.body_timeout, place, upload);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Sends the request, and a query again if the connection fails.
    async fn exchange(&self, call: Call) -> Result<Response<hyper::body::Incoming>, Error> {
        let Inner { settings, configured, named, .. } = &*self.0;
        let pool = if call.service.kind == Kind::Named { named } else { configured };
        let is_query = matches!(call.method, Method::GET | Method::HEAD);
        let retries = if is_query { settings.max_retries } else { 0 };
        let sending = call.body.sending();
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(call.service.scheme);
        uri.authority = Some(call.service.authority);
        uri.path_and_query = Some(call.path);
        let uri = Uri::from_parts(uri).map_err(|error| Error::Unreachable(error.into()))?;
        let request = |body: Outgoing| {
            let mut request = Request::new(body);
            *request.method_mut() = call.method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = call.headers.clone();
            request
        };
        let (mut body, mut left) = (call.body, retries);
        loop {
            let request = connect::request(pool, request(std::mem::replace(&mut body, Outgoing::none())), &call.caller);
            let failed = match in_time(request, sending.as_ref(), settings.headers_timeout).await? {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if let Some(fault) = sending.as_ref().and_then(Sending::fault) {
                return Err(fault);
            }
            if left == 0 {
                return Err(Error::Unreachable(failed.into()));
            }
            left -= 1;
        }
    }
}

/// Tells the breaker how a call went, unless the client is the cause.
fn settle<T>(attempt: Attempt, sent: &Result<T, Error>, caller: u64) {
    match sent {
        Ok(_) => attempt.succeeded(),
        Err(Error::Unreachable(_) | Error::Timeout(_)) => attempt.failed(Instant::now(), caller),
        Err(_) => drop(attempt),
    }
}

fn hash(caller: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    caller.hash(&mut hasher);
    hasher.finish()
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstreams({} calls under way)", self.under_way())
    }
}
