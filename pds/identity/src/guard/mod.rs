//! Keeps requests to names that users bring away from private networks (SSRF).
//!
//! The addresses are checked that are then connected to: the HTTP client resolves names through [`GuardedDns`] and nowhere else.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::{Error, Roots};

/// Says whether a host or one of its addresses may be reached although it is not public: `(host, address)`.
pub type Allow = Arc<dyn Fn(&str, IpAddr) -> bool + Send + Sync>;

/// The most that an answer may have.
const MAX_BYTES: usize = 512 * 1024;

/// An HTTP client for URLs that others name: https only, public addresses only, no redirects, little patience.
#[derive(Clone)]
pub struct Guard {
    http: reqwest::Client,
    allow: Allow,
    timeout: Duration,
}

impl Guard {
    /// `timeout` bounds a whole request.
    ///
    /// # Errors
    /// When the TLS settings of the machine cannot be used.
    pub fn new(allow: Allow, timeout: Duration, roots: &Roots) -> Result<Self, reqwest::Error> {
        Self::build(roots.trusted_by(reqwest::Client::builder()), Arc::new(SystemDns), allow, timeout)
    }

    /// With the client's trust roots in `builder`, and names looked up by `dns`.
    pub(crate) fn build(
        builder: reqwest::ClientBuilder,
        dns: Arc<dyn Resolve>,
        allow: Allow,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let http = builder
            .dns_resolver(Arc::new(GuardedDns { dns, allow: allow.clone() }))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .https_only(true)
            .build()?;
        Ok(Self { http, allow, timeout })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Reads a small text from `url`; `None` for an answer other than 200.
    pub async fn text(&self, url: &str) -> Result<Option<String>, Error> {
        let unreachable = |reason: String| Error::Unreachable { name: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
        // A literal address never passes the resolver; the protocol names hosts, so there is no need for public ones either.
        let literal = match parsed.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if let Some(address) = literal
            && !(self.allow)(&address.to_string(), address)
        {
            return Err(unreachable("an address where a host name is needed".to_owned()));
        }
        let mut answer = self.http.get(parsed).send().await.map_err(|error| unreachable(reason(&error)))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unreachable(reason(&error)))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(Error::Answer { name: url.to_owned(), reason: format!("more than {MAX_BYTES} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body)
            .map(Some)
            .map_err(|error| Error::Answer { name: url.to_owned(), reason: error.to_string() })
    }
}

/// The innermost reason: the outer ones only repeat the URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Passes on what `dns` finds, without addresses that are neither public nor allowed.
struct GuardedDns {
    dns: Arc<dyn Resolve>,
    allow: Allow,
}

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, allow) = (name.as_str().to_owned(), self.allow.clone());
        let found = self.dns.resolve(name);
        Box::pin(async move {
            let usable: Vec<SocketAddr> = found.await?.filter(|a| is_public(a.ip()) || allow(&host, a.ip())).collect();
            if usable.is_empty() {
                return Err(format!("{host} has no public address").into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

struct SystemDns;

impl Resolve for SystemDns {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

/// Unicast space that is neither private, shared, local, reserved nor for documentation. Source: IANA special-purpose registries.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3, less protocol assignments (Teredo, benchmarking, ORCHID), documentation and 6to4; of
    // these Teredo and 6to4 carry IPv4 addresses inside.
    let assigned = first == 0x2001 && second < 0x200;
    let documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    first & 0xe000 == 0x2000 && !assigned && !documentation && first != 0x2002
}

#[cfg(test)]
mod tests;
