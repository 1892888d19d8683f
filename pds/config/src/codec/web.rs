//! Host names, URLs, DIDs and networks.

use std::net::{IpAddr, SocketAddr};

use pds_syntax::{Did, Handle};
use url::Url;

use super::{Codec, parse_list, render_list};
use crate::network::{AllowRule, Cidr, is_host_name};

const DNS_PORT: u16 = 53;

pub(crate) const HOSTNAME: Codec<String> = Codec::new(
    "a host name without scheme, port or path",
    |text| {
        let name = text.to_ascii_lowercase();
        if is_host_name(&name) { Ok(name) } else { Err("is not a host name".into()) }
    },
    String::clone,
);

pub(crate) const HOST_AND_PORT: Codec<String> = Codec::new(
    "host:port",
    |text| match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("is not a host and a port".into()),
    },
    String::clone,
);

pub(crate) const SERVICE_DID: Codec<Did> = Codec::new(
    "a did:web or did:plc",
    |text| {
        let did: Did = text.parse().map_err(|_| "is not a DID")?;
        if matches!(did.method(), "web" | "plc") { Ok(did) } else { Err("has another DID method".into()) }
    },
    Did::to_string,
);

pub(crate) const DID_KEY: Codec<Did> = Codec::new(
    "a did:key of a secp256k1 (did:key:zQ3s...) or P-256 (did:key:zDn...) public key",
    |text| {
        let did: Did = text.parse().map_err(|_| "is not a DID")?;
        let known = ["did:key:zQ3s", "did:key:zDn"].iter().any(|prefix| text.starts_with(prefix));
        if known { Ok(did) } else { Err("is not a did:key of one of these curves".into()) }
    },
    Did::to_string,
);

pub(crate) const HANDLE_DOMAINS: Codec<Vec<String>> = Codec::new(
    "domains with a leading dot, separated by commas: .example.com,.example.org",
    |text| {
        let domains = parse_list(text, |domain| {
            if !domain.starts_with('.') {
                return Err("has no leading dot");
            }
            let handle: Handle = format!("a{domain}").parse().map_err(|_| "is not a domain")?;
            if handle.is_disallowed_tld() {
                return Err("ends in a top-level domain that handles must not have");
            }
            Ok(domain.to_ascii_lowercase())
        })?;
        if domains.is_empty() { Err("contains no domain".into()) } else { Ok(domains) }
    },
    |domains| render_list(domains),
);

pub(crate) const URL: Codec<Url> =
    Codec::new("an http or https URL", |text| http_url(text).map_err(str::to_owned), Url::to_string);

/// One to which a path is added.
pub(crate) const BASE_URL: Codec<Url> = Codec::new(
    "an http or https URL without query and fragment",
    |text| {
        let url = http_url(text)?;
        match url.query().or(url.fragment()) {
            None => Ok(url),
            Some(_) => Err("has a query or a fragment".into()),
        }
    },
    Url::to_string,
);

pub(crate) const ORIGIN: Codec<Url> =
    Codec::new("an http or https URL without path", |text| origin(text).map_err(str::to_owned), Url::to_string);

pub(crate) const ORIGINS: Codec<Vec<Url>> = Codec::new(
    "http or https URLs without path, separated by commas",
    |text| parse_list(text, origin),
    |urls| render_list(urls),
);

pub(crate) const IMAGE_PATTERN: Codec<String> = Codec::new(
    "an http or https URL with three %s, for kind of image, DID and CID: https://cdn.example.com/%s/plain/%s/%s@jpeg",
    |text| {
        if text.matches("%s").count() != 3 {
            return Err("does not contain %s three times".into());
        }
        http_url(&text.replace("%s", "a")).map(|_| text.to_owned()).map_err(str::to_owned)
    },
    String::clone,
);

pub(crate) const EMAIL: Codec<String> = Codec::new(
    "an e-mail address",
    |text| match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && is_host_name(&host.to_ascii_lowercase()) => Ok(text.to_owned()),
        _ => Err("is not an e-mail address".into()),
    },
    String::clone,
);

pub(crate) const NAME_SERVERS: Codec<Vec<SocketAddr>> = Codec::new(
    "IP addresses with optional port (default 53), separated by commas: 9.9.9.9,[2620:fe::fe]:53",
    |text| {
        parse_list(text, |item| {
            let address = item.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
            address.or_else(|_| item.parse()).map_err(|_| "is not an IP address")
        })
    },
    |servers| render_list(servers),
);

pub(crate) const CIDRS: Codec<Vec<Cidr>> = Codec::new(
    "IP addresses and networks, separated by commas: 10.0.0.0/8,::1; none for an empty list",
    |text| if text == "none" { Ok(Vec::new()) } else { parse_list(text, str::parse::<Cidr>) },
    |networks| if networks.is_empty() { "none".into() } else { render_list(networks) },
);

pub(crate) const ALLOW_RULES: Codec<Vec<AllowRule>> = Codec::new(
    "networks and host names, separated by commas; a host name includes its subdomains: 10.96.0.0/12,pds.test",
    |text| parse_list(text, str::parse::<AllowRule>),
    |rules| render_list(rules),
);

pub(crate) const BUCKET: Codec<String> = Codec::new(
    "3 to 63 lower-case letters, digits, dots and hyphens",
    |text| {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        match (3..=63).contains(&text.len()) && text.bytes().all(legal) {
            true => Ok(text.to_owned()),
            false => Err("is not a bucket name".into()),
        }
    },
    String::clone,
);

fn is_host(text: &str) -> bool {
    is_host_name(&text.to_ascii_lowercase())
        || url::Host::parse(text).is_ok_and(|host| !matches!(host, url::Host::Domain(_)))
}

fn http_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains credentials, which would appear in logs");
    }
    Ok(url)
}

fn origin(text: &str) -> Result<Url, &'static str> {
    let url = http_url(text)?;
    match url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
        true => Ok(url),
        false => Err("has a path, query or fragment"),
    }
}
