//! Settings for other services: which ones requests are passed on to, and how.

use std::time::Duration;

use pds_syntax::Did;
use url::Url;

use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;
use crate::variable::Setting;

/// The services to which requests go that this server does not answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    pub app_view: Option<RemoteService>,
    /// Printf pattern of image URLs: three `%s` for kind of image, DID and CID.
    pub cdn_url_pattern: Option<String>,
    pub moderation: Option<RemoteService>,
    /// Takes reports. The moderation service, unless there is one of its own.
    pub report: Option<RemoteService>,
}

/// A service that the host's owner has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteService {
    /// Its origin, without a path.
    pub url: Url,
    pub did: Did,
}

/// How requests are passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxying {
    /// Services that clients name may be at any address, and without TLS.
    pub any_address: bool,
    pub allow_http2: bool,
    /// Maximum time until the head of a response is there.
    pub headers_timeout: Duration,
    /// Maximum time between two parts of a response's body.
    pub body_timeout: Duration,
    /// Maximum size of a response in bytes.
    pub max_response_bytes: u64,
    /// How often a query is sent again if the connection fails.
    pub max_retries: u32,
    /// Responses that this server may have to change are requested compressed.
    pub prefer_compressed: bool,
    /// Maximum number of calls under way. `None`: computed from the maximum number of connections.
    pub max_calls: Option<u32>,
}

impl Services {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let app_view = remote(reader, &setting::BSKY_APP_VIEW_URL, &setting::BSKY_APP_VIEW_DID);
        let moderation = remote(reader, &setting::MOD_SERVICE_URL, &setting::MOD_SERVICE_DID);
        let report = remote(reader, &setting::REPORT_SERVICE_URL, &setting::REPORT_SERVICE_DID);
        Self {
            app_view,
            cdn_url_pattern: reader.optional(&setting::BSKY_APP_VIEW_CDN_URL_PATTERN),
            report: report.or_else(|| moderation.clone()),
            moderation,
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { app_view, cdn_url_pattern, moderation, report } = self;
        let mut put = |service: &Option<RemoteService>, url, did| {
            out.put_some(url, service.as_ref().map(|service| &service.url));
            out.put_some(did, service.as_ref().map(|service| &service.did));
        };
        put(app_view, &setting::BSKY_APP_VIEW_URL, &setting::BSKY_APP_VIEW_DID);
        put(moderation, &setting::MOD_SERVICE_URL, &setting::MOD_SERVICE_DID);
        put(report, &setting::REPORT_SERVICE_URL, &setting::REPORT_SERVICE_DID);
        out.put_some(&setting::BSKY_APP_VIEW_CDN_URL_PATTERN, cdn_url_pattern.as_ref());
    }
}

/// A service whose URL and DID are both set.
fn remote(reader: &mut Reader<'_>, url: &Setting<Url>, did: &Setting<Did>) -> Option<RemoteService> {
    let (found_url, found_did) = (reader.optional(url), reader.optional(did));
    let names = (url.variable.name, did.variable.name);
    match (found_url, found_did) {
        (Some(url), Some(did)) => return Some(RemoteService { url, did }),
        (Some(_), None) if !reader.is_set(did) => {
            reader.refuse(did, None, format!("is required together with {}", names.0));
        }
        (None, Some(_)) if !reader.is_set(url) => {
            reader.refuse(url, None, format!("is required together with {}", names.1));
        }
        _ => {}
    }
    None
}

impl Proxying {
    pub(super) fn read(reader: &mut Reader<'_>, dev_mode: bool) -> Self {
        Self {
            any_address: reader.optional(&setting::DISABLE_SSRF_PROTECTION).unwrap_or(dev_mode),
            allow_http2: reader.value(&setting::PROXY_ALLOW_HTTP2),
            headers_timeout: reader.value(&setting::PROXY_HEADERS_TIMEOUT),
            body_timeout: reader.value(&setting::PROXY_BODY_TIMEOUT),
            max_response_bytes: reader.value(&setting::PROXY_MAX_RESPONSE_SIZE),
            max_retries: reader.value(&setting::PROXY_MAX_RETRIES),
            prefer_compressed: reader.value(&setting::PROXY_PREFER_COMPRESSED),
            max_calls: reader.optional(&setting::PROXY_MAX_CALLS),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self {
            any_address,
            allow_http2,
            headers_timeout,
            body_timeout,
            max_response_bytes,
            max_retries,
            prefer_compressed,
            max_calls,
        } = self;
        out.put(&setting::DISABLE_SSRF_PROTECTION, any_address);
        out.put(&setting::PROXY_ALLOW_HTTP2, allow_http2);
        out.put(&setting::PROXY_HEADERS_TIMEOUT, headers_timeout);
        out.put(&setting::PROXY_BODY_TIMEOUT, body_timeout);
        out.put(&setting::PROXY_MAX_RESPONSE_SIZE, max_response_bytes);
        out.put(&setting::PROXY_MAX_RETRIES, max_retries);
        out.put(&setting::PROXY_PREFER_COMPRESSED, prefer_compressed);
        out.put_some(&setting::PROXY_MAX_CALLS, max_calls.as_ref());
    }
}
