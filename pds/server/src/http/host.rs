//! The host name of a request, and whether it is one of this server's.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{app::App, xrpc::XrpcError};

/// Names that are only used within a machine, a cluster or a local network.
const INSIDE: [&str; 5] = [".localhost", ".local", ".internal", ".svc", ".svc.cluster.local"];

/// The host name of a request: from its URI, as in HTTP/2 and with proxies, or from its header. In lower case, without port and without a
/// trailing dot.
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let said = || headers.get(header::HOST)?.to_str().ok()?.parse::<Authority>().ok();
    let authority = uri.authority().cloned().or_else(said)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()).filter(|host| !host.is_empty())
}

/// Refuses requests for methods under a foreign host name: a web page of another host could resolve its own name to this server. Health is
/// for everybody.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/xrpc/")
        && path != "/xrpc/_health"
        && let Some(host) = host(request.uri(), request.headers())
        && !is_ours(&app, &host)
    {
        let message = format!("This server does not serve {host}");
        return XrpcError::new(StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequest", message).into_response();
    }
    next.run(request).await
}

fn is_ours(app: &App, host: &str) -> bool {
    let (service, domains) = (&app.settings.service, &app.settings.identity.handle_domains);
    let is_named = host == service.hostname
        || service.did.as_str().strip_prefix("did:web:") == Some(host)
        || domains.iter().any(|domain| host.ends_with(domain.as_str()) || domain.get(1..) == Some(host));
    let is_inside = || !host.contains('.') || INSIDE.iter().any(|end| host.ends_with(end));
    service.dev_mode || is_named || host.parse::<IpAddr>().is_ok() || is_inside()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_every_spelling() {
        let headers = |host: &str| HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        let path = Uri::from_static("/");
        for spelling in ["pds.test", "PDS.Test", "pds.test.", "pds.test:8443", "PDS.TEST.:443"] {
            assert_eq!(host(&path, &headers(spelling)).as_deref(), Some("pds.test"), "{spelling}");
        }
        assert_eq!(host(&path, &headers("[::1]:2583")).as_deref(), Some("::1"));
        assert_eq!(host(&Uri::from_static("https://pds.test/"), &headers("other.test")).as_deref(), Some("pds.test"));
        assert_eq!(host(&path, &HeaderMap::new()), None);
        assert_eq!(host(&path, &headers("not a host")), None);
    }
}
