//! One call to a service.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header, request::Parts, uri::PathAndQuery},
};
use pds_store::account::Account;
use serde_json::Value;

use super::{answer::Whole, failure::Failure, headers, refusal::Refusal, target::Target};
use crate::{
    actor::Purpose,
    app::App,
    rate_limit::Client,
    upstream::{self, Answer, Call},
    xrpc::{Result, XrpcError},
};

/// A request to a service.
pub struct Outgoing<'a> {
    pub target: &'a Target,
    /// Whose key signs; nobody's for public data.
    pub account: Option<&'a Account>,
    pub client: &'a Client,
    /// The method that the token allows.
    pub nsid: &'a str,
    /// The audience of the token, if it is not the service.
    pub audience: Option<&'a str>,
    pub method: Method,
    pub path: PathAndQuery,
    pub headers: HeaderMap,
    pub body: upstream::Outgoing,
}

/// Calls a service. The answer may have any status.
pub async fn call(app: &App, request: Outgoing<'_>) -> Result<Answer> {
    let Outgoing { target, account, client, nsid, audience, method, path, mut headers, body } = request;
    let audience = audience.unwrap_or(target.did.as_str());
    let caller: Arc<str> = match account {
        Some(account) => {
            let token = token(app, account, audience, nsid, &method).await?;
            headers.insert(header::AUTHORIZATION, token);
            account.did.as_str().into()
        }
        None => client.subject.clone(),
    };
    let call = Call { service: target.service.clone(), method, path, headers, body, caller, client: client.clone() };
    app.upstreams.send(call).await.map_err(|error| refuse(target, error))
}

async fn token(app: &App, account: &Account, audience: &str, nsid: &str, method: &Method) -> Result<HeaderValue> {
    let token: Arc<str> = match *method {
        Method::GET | Method::HEAD => app.actors.service_token_for_query(account, audience, nsid).await?,
        _ => app.actors.service_token(account, Purpose { audience, method: Some(nsid), expires: None }).await?.into(),
    };
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|error| XrpcError::internal("writing a service token", &error))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The head of a client's request as it is sent on, and its body.
pub(super) fn from_client(request: Request, accept_encoding: HeaderValue) -> (Parts, HeaderMap, Body) {
    let (parts, body) = request.into_parts();
    let headers = headers::outgoing(&parts.headers, accept_encoding, parts.method == Method::POST);
    (parts, headers, body)
}

/// Path and query as the client sent them.
pub(super) fn path(parts: &Parts) -> PathAndQuery {
    parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// Asks a service something for this server's own use: a query with JSON output.
///
/// # Errors
/// Why there is no such output.
pub async fn json(
    app: &App,
    target: &Target,
    account: Option<&Account>,
    client: &Client,
    nsid: &str,
    params: &[(&str, &str)],
) -> Result<Value, Failure> {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let path = format!("/xrpc/{nsid}?{query}").parse().map_err(|_| XrpcError::invalid("invalid xrpc path"))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let (method, body) = (Method::GET, upstream::Outgoing::none());
    let request = Outgoing { target, account, client, nsid, audience: None, method, path, headers, body };
    let answer = call(app, request).await?;
    if answer.status.as_u16() >= 400 {
        return Err(Refusal::read(answer).await.into());
    }
    let whole = Whole::read(app, client, answer).await?;
    whole.json().ok_or_else(|| XrpcError::upstream("Upstream service sent no valid response").into())
}

fn refuse(target: &Target, error: upstream::Error) -> XrpcError {
    use upstream::Error;
    let service = target.did.as_str();
    match &error {
        Error::Unreachable(_) | Error::Timeout(_) | Error::TooLong { .. } => {
            tracing::warn!(service, error = crate::report::chain(&error), "a call to {service} failed");
        }
        _ => tracing::debug!(service, "a call to {service} was not made: {error}"),
    }
    XrpcError::from(error)
}
