//! Refuses requests beyond the limits. The headers of every other answer tell what is left.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use pds_limiter::{Limit, Standing};

use super::client::Address;
use crate::{
    app::App,
    auth,
    rate_limit::{MethodLimits, subject},
    xrpc::XrpcError,
};

const BYPASS: HeaderName = HeaderName::from_static("x-ratelimit-bypass");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Finds the limits of a method by its NSID.
pub type LimitsOf = fn(&str) -> Option<MethodLimits>;

/// Charges what the head of a request costs, before its body is read. Only methods are limited, and `_health` is none.
pub async fn limit(State((app, limits)): State<(App, LimitsOf)>, mut request: Request, next: Next) -> Response {
    let method = request.uri().path().strip_prefix("/xrpc/").filter(|method| *method != "_health");
    let Some(limits) = method.map(limits) else { return next.run(request).await };
    let address = request.extensions().get().and_then(|Address(address)| *address);
    if !app.rate_limits.apply_to(address, request.headers().get(BYPASS).map(HeaderValue::as_bytes)) {
        return next.run(request).await;
    }
    let principal = auth::principal(&app, &mut request);
    let address = address.map(subject).unwrap_or_default();
    let charged = app.rate_limits.charge_request(limits.as_ref(), &principal, &address, app.clock.now_us()).await;
    let meter = Meter(Some(Arc::new(Reading { address, tier: principal.tier(), tightest: Mutex::default() })));
    let mut answer = match meter.read(&app, charged) {
        Ok(()) => {
            request.extensions_mut().insert(meter.clone());
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    };
    if let Some(standing) = meter.tightest() {
        show(answer.headers_mut(), &standing, app.clock.now_us());
    }
    answer
}

/// The charges of a request, for a handler that has more to charge. Without limits it charges nothing.
#[derive(Clone, Debug, Default)]
pub struct Meter(Option<Arc<Reading>>);

#[derive(Debug)]
struct Reading {
    address: String,
    tier: &'static str,
    tightest: Mutex<Option<Standing>>,
}

impl Meter {
    /// The address of the client as limits count it.
    pub fn address(&self) -> &str {
        self.0.as_ref().map_or("", |reading| &reading.address)
    }

    /// Charges `cost` points to each of the limits' budgets for `subject`.
    ///
    /// # Errors
    /// The answer to the client, if a budget is used up.
    pub async fn charge(&self, app: &App, limits: &[Limit], subject: &str, cost: u32) -> Result<(), XrpcError> {
        if self.0.is_none() {
            return Ok(());
        }
        self.read(app, app.rate_limits.charge(limits, subject, cost, app.clock.now_us()).await)
    }

    /// The answer to a caller that is known to be beyond the limits until then, in microseconds. Charges nothing.
    pub fn refuse_until(&self, app: &App, limits: &[Limit], until_us: i64) -> XrpcError {
        if let (Some(reading), Some(limit)) = (&self.0, limits.first()) {
            app.metrics.rate_limited(reading.tier, limit.name);
        }
        let wait = Duration::from_micros(until_us.saturating_sub(app.clock.now_us()).max(0).unsigned_abs());
        exceeded(wait)
    }

    fn read(&self, app: &App, charged: Option<Standing>) -> Result<(), XrpcError> {
        let (Some(reading), Some(standing)) = (&self.0, charged) else { return Ok(()) };
        let mut tightest = reading.tightest.lock().unwrap_or_else(PoisonError::into_inner);
        *tightest = Some(tightest.map_or(standing, |before| before.tightest(standing)));
        let Some(wait) = standing.retry_after else { return Ok(()) };
        app.metrics.rate_limited(reading.tier, standing.limit.name);
        Err(exceeded(wait))
    }

    fn tightest(&self) -> Option<Standing> {
        *self.0.as_ref()?.tightest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Meter {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

fn exceeded(wait: Duration) -> XrpcError {
    let error = XrpcError::new(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", "Rate Limit Exceeded");
    XrpcError { retry_after: Some(seconds(wait).max(1)), ..error }
}

/// The reference's headers; the reset is in seconds since 1970.
fn show(headers: &mut HeaderMap, standing: &Standing, now_us: i64) {
    let Limit { points, period, burst, .. } = standing.limit;
    let now = Duration::from_micros(now_us.unsigned_abs());
    headers.insert(LIMIT, burst.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, seconds(now + standing.reset).into());
    let mut policy = format!("{points};w={}", period.as_secs());
    if burst != points {
        policy.push_str(&format!(";burst={burst}"));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(POLICY, policy);
    }
}

/// Seconds, rounded up.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
