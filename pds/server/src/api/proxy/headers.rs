//! Which headers are passed on.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::xrpc;

/// Headers of requests, beside those that begin with [`PREFIX`].
const REQUEST: [HeaderName; 3] = [
    header::ACCEPT_LANGUAGE,
    HeaderName::from_static("atproto-accept-labelers"),
    HeaderName::from_static("x-bsky-topics"),
];
const PREFIX: &str = "x-atproto-";
/// Headers of requests with a body.
const BODY: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH];
/// Headers of answers that describe their body.
const CONTENT: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_TYPE, header::CONTENT_LANGUAGE];

pub(super) const REPO_REV: HeaderName = HeaderName::from_static("atproto-repo-rev");
const LABELERS: HeaderName = HeaderName::from_static("atproto-content-labelers");

/// The headers of a request to a service.
pub(super) fn outgoing(from: &HeaderMap, accept_encoding: HeaderValue, has_body: bool) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(8);
    to.insert(header::ACCEPT_ENCODING, accept_encoding);
    let with_body = BODY.iter().filter(|_| has_body);
    for name in REQUEST.iter().chain(with_body) {
        if let Some(value) = from.get(name) {
            to.insert(name, value.clone());
        }
    }
    for (name, value) in from.iter().filter(|(name, _)| name.as_str().starts_with(PREFIX)) {
        to.append(name, value.clone());
    }
    to
}

/// The headers of an answer that stay when its body is not passed on.
pub(super) fn without_content(from: &HeaderMap) -> HeaderMap {
    copied(from, [REPO_REV, LABELERS, header::RETRY_AFTER].iter())
}

/// The headers of an answer whose body is passed on.
pub(super) fn incoming(from: &HeaderMap) -> HeaderMap {
    let mut to = without_content(from);
    to.extend(copied(from, CONTENT.iter()));
    // Whatever the other service sends, no browser may take it for a page of this server.
    to.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    to.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    to
}

fn copied<'n>(from: &HeaderMap, names: impl Iterator<Item = &'n HeaderName>) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(8);
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
    to
}

/// Whether a body is JSON; `None` if the header is absent.
pub(super) fn is_json(headers: &HeaderMap) -> Option<bool> {
    let essence = xrpc::essence(headers)?.to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    Some(subtype == "json" || subtype.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_headers_that_services_need_are_sent() {
        let from = map(&[
            ("accept-language", "de"),
            ("atproto-accept-labelers", "did:plc:a;redact"),
            ("x-atproto-topic", "a"),
            ("x-bsky-topics", "b"),
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("authorization", "Bearer secret"),
            ("cookie", "secret"),
            ("host", "pds.test"),
            ("atproto-proxy", "did:web:a.test#b"),
            ("x-forwarded-for", "198.51.100.1"),
        ]);
        let names = |has_body| {
            let to = outgoing(&from, HeaderValue::from_static("identity"), has_body);
            let mut names: Vec<_> = to.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        let query =
            ["accept-encoding", "accept-language", "atproto-accept-labelers", "x-atproto-topic", "x-bsky-topics"];
        assert_eq!(names(false), query);
        assert_eq!(names(true).len(), query.len() + 2);
    }

    #[test]
    fn only_headers_that_clients_need_come_back() {
        let from = map(&[
            ("content-type", "application/json"),
            ("content-encoding", "br"),
            ("content-language", "en"),
            ("atproto-repo-rev", "3l"),
            ("atproto-content-labelers", "did:plc:a"),
            ("retry-after", "3"),
            ("set-cookie", "a=b"),
            ("access-control-allow-origin", "https://evil.test"),
            ("cache-control", "public"),
        ]);
        let to = incoming(&from);
        assert_eq!(to.len(), 8);
        assert!(!to.contains_key("set-cookie") && !to.contains_key("access-control-allow-origin"));
        assert_eq!(without_content(&from).len(), 3);
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        let json = |value: &'static str| is_json(&map(&[("content-type", value)]));
        assert!(json("application/json; charset=utf-8") == Some(true) && json("Application/ld+JSON") == Some(true));
        assert!(json("text/html") == Some(false) && json("application/jsonp") == Some(false));
        assert_eq!(is_json(&HeaderMap::new()), None);
    }
}
