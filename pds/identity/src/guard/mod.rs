//! Protects private networks from requests to hosts that users name (SSRF).
//!
//! Checks the addresses to which the client then connects: the HTTP client resolves host names only through [`GuardedDns`].

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::{Dns, Error, Roots};

/// Whether a request may go to an address of a host although the address is not public. Parameters: host, address.
pub type Allow = Arc<dyn Fn(&str, IpAddr) -> bool + Send + Sync>;

/// Maximum size of a response body, and of one that is a text: a DID document or the DID of a handle.
const MAX_BYTES: usize = 512 * 1024;
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// An HTTP client for URLs that users name. Uses only https and public addresses, and follows no redirects.
#[derive(Clone)]
pub struct Guard {
    http: reqwest::Client,
    allow: Allow,
    timeout: Duration,
}

impl Guard {
    /// `timeout` is the maximum time of a whole request.
    ///
    /// # Errors
    /// If the TLS configuration of the system cannot be used.
    pub fn new(allow: Allow, timeout: Duration, roots: &Roots) -> Result<Self, reqwest::Error> {
        Self::build(roots.trusted_by(reqwest::Client::builder()), Arc::new(Dns::new(&[], timeout)), allow, timeout)
    }

    /// As [`Guard::new`], with the trusted certificates of `builder` and host names resolved by `dns`.
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

    /// Reads a text of at most [`MAX_TEXT_BYTES`] from `url`. `None` if the status is not 200.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Answer`].
    pub async fn text(&self, url: &str) -> Result<Option<String>, Error> {
        let Some(body) = self.read(url, MAX_TEXT_BYTES).await? else { return Ok(None) };
        String::from_utf8(body)
            .map(Some)
            .map_err(|error| Error::Answer { name: url.to_owned(), reason: error.to_string() })
    }

    /// As [`Guard::text`], of any bytes, at most [`MAX_BYTES`].
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Answer`].
    pub async fn bytes(&self, url: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read(url, MAX_BYTES).await
    }

    async fn read(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>, Error> {
        let unreachable = |reason: String| Error::Unreachable { name: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
        // An IP address in the URL does not pass the resolver. Public ones are refused too: the protocol requires host names.
        let literal = match parsed.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if let Some(address) = literal
            && !(self.allow)(&address.to_string(), address)
        {
            return Err(unreachable("the URL has an IP address instead of a host name".to_owned()));
        }
        let mut answer = self.http.get(parsed).send().await.map_err(|error| unreachable(reason(&error)))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Ok(None);
        }
        body(&mut answer, url, most).await.map(Some)
    }
}

/// The innermost error. The outer ones only repeat the URL.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Resolves host names with `dns`, and drops addresses that are neither public nor allowed.
struct GuardedDns {
    dns: Arc<dyn Resolve>,
    allow: Allow,
}

impl Resolve for GuardedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, allow) = (name.as_str().to_owned(), self.allow.clone());
        let found = self.dns.resolve(name);
        Box::pin(async move {
            let usable = usable(&host, found.await?, &allow)?;
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// The body of an answer of the server `name`, of at most `most` bytes.
pub(crate) async fn body(answer: &mut reqwest::Response, name: &str, most: usize) -> Result<Vec<u8>, Error> {
    let name = || name.to_owned();
    let mut body = Vec::new();
    let cut = |error| Error::Unreachable { name: name(), reason: reason(&error) };
    while let Some(chunk) = answer.chunk().await.map_err(cut)? {
        if body.len() + chunk.len() > most {
            return Err(Error::Answer { name: name(), reason: format!("it has more than {most} bytes") });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The addresses of a host to which a connection may be made: the public ones, and those that `allow` names.
///
/// # Errors
/// When the host has no such address, or the name servers did not say so in time.
pub async fn addresses(dns: &Dns, host: &str, allow: &Allow) -> std::io::Result<Vec<SocketAddr>> {
    usable(host, dns.find(host).await?.into_iter(), allow)
}

fn usable(host: &str, found: impl Iterator<Item = SocketAddr>, allow: &Allow) -> std::io::Result<Vec<SocketAddr>> {
    let usable: Vec<_> = found.filter(|found| is_public(found.ip()) || allow(host, found.ip())).collect();
    match usable.is_empty() {
        true => Err(std::io::Error::other(format!("{host} has no public IP address"))),
        false => Ok(usable),
    }
}

/// Whether an address is unicast and reachable over the internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

/// Whether the address is unicast and neither private, shared, local, reserved nor for documentation. Source: IANA special-purpose registries.
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
    // Global unicast is 2000::/3 without protocol assignments (Teredo, benchmarking, ORCHID), documentation and 6to4. Teredo and 6to4
    // addresses contain IPv4 addresses, which could be private.
    let assigned = first == 0x2001 && second < 0x200;
    let documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    first & 0xe000 == 0x2000 && !assigned && !documentation && first != 0x2002
}

#[cfg(test)]
mod tests;
