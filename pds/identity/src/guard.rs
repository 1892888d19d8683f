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

use crate::Error;

/// Says whether a host or one of its addresses may be reached although it is not public: `(host, address)`.
pub type Allow = Arc<dyn Fn(&str, IpAddr) -> bool + Send + Sync>;

/// The most that an answer may have.
const MAX_BYTES: usize = 512 * 1024;

/// An HTTP client for URLs that others name: https only, public addresses only, no redirects, little patience.
#[derive(Clone)]
pub struct Guard {
    http: reqwest::Client,
    allow: Allow,
}

impl Guard {
    /// `timeout` bounds a whole request.
    ///
    /// # Errors
    /// When the TLS settings of the machine cannot be used.
    pub fn new(allow: Allow, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(GuardedDns { allow: allow.clone() }))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout)
            .https_only(true)
            .build()?;
        Ok(Self { http, allow })
    }

    /// Reads a small text from `url`; `None` for an answer other than 200.
    pub async fn text(&self, url: &str) -> Result<Option<String>, Error> {
        let unreachable = |reason: String| Error::Unreachable { name: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
        // A literal address never passes the resolver.
        let literal = match parsed.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if let Some(address) = literal
            && !is_public(address)
            && !(self.allow)(&address.to_string(), address)
        {
            return Err(unreachable("not a public address".to_owned()));
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

struct GuardedDns {
    allow: Allow,
}

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let usable: Vec<SocketAddr> =
                all.into_iter().filter(|a| is_public(a.ip()) || allow(&host, a.ip())).collect();
            if usable.is_empty() {
                return Err(format!("{host} has no public address").into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
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
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3, less documentation, 6to4 and Teredo, which carry IPv4 addresses inside.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second == 0)) && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        for address in ["1.1.1.1", "2606:4700::1111"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let private = [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "2001:db8::1",
            "2002:a00:1::",
            "ff02::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn private_destinations_are_refused_by_name_and_by_address() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let guard = Guard::new(Arc::new(|_, _| false), Duration::from_secs(2)).unwrap();
        for url in ["https://127.0.0.1/", "https://localhost/", "http://example.com/"] {
            assert!(matches!(guard.text(url).await, Err(Error::Unreachable { .. })), "{url}");
        }
    }
}
