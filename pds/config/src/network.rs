//! Networks, and rules for outbound requests.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// An IP network such as `10.0.0.0/8`. A single address is a network of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

/// A destination that outbound requests may reach although it is not public.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AllowRule {
    /// All addresses of a network.
    Network(Cidr),
    /// A host name and its subdomains. Lower case, no leading dot.
    Host(String),
}

impl Cidr {
    /// True if the address lies inside. An IPv4-mapped IPv6 address counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// True if every address of the other network lies inside.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl FromStr for Cidr {
    type Err = &'static str;

    /// Reads the address with the parser of the standard library: the one of `ipnet` reads `010.0.0.0` as 10.0.0.0, which other programs
    /// read as 8.0.0.0. An IPv4-mapped IPv6 network counts as the IPv4 network.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REASON: &str = "is neither an IP address nor a network like 10.0.0.0/8";
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| REASON)?;
        let prefix = prefix.map(str::parse).transpose().map_err(|_| REASON)?;
        let network = prefix.map_or(Ok(address.into()), |prefix| IpNet::new(address, prefix));
        let network = network.map_err(|_| "has more prefix bits than the address has")?;
        Ok(Self(mapped(network).map_or(network, IpNet::V4)))
    }
}

/// The IPv4 network that an IPv4-mapped IPv6 network stands for.
fn mapped(network: IpNet) -> Option<Ipv4Net> {
    let IpNet::V6(network) = network else { return None };
    Ipv4Net::new(network.addr().to_ipv4_mapped()?, network.prefix_len().checked_sub(96)?).ok()
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AllowRule {
    /// True if the rule allows this host name.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let Self::Host(suffix) = self else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// True if the rule allows this address.
    #[must_use]
    pub fn allows_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(cidr) if cidr.contains(address))
    }
}

impl FromStr for AllowRule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(cidr) = text.parse() {
            return Ok(Self::Network(cidr));
        }
        let host = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
        if !is_host_name(&host) {
            return Err("is neither a network like 10.0.0.0/8 nor a host name");
        }
        Ok(Self::Host(host))
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(cidr) => cidr.fmt(f),
            Self::Host(host) => f.write_str(host),
        }
    }
}

/// Whether this is an RFC 1123 host name in lower case. Its last label must not be a number, because it would be an IP address.
pub(crate) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253 && name.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_alone_is_a_network_and_is_rendered_with_its_prefix() {
        assert_eq!(network("10.0.0.1").to_string(), "10.0.0.1/32");
        assert_eq!(network("::1").to_string(), "::1/128");
        assert_eq!(network("10.1.2.3/8").to_string(), "10.1.2.3/8");
    }

    #[test]
    fn a_network_contains_its_addresses_and_covers_its_parts() {
        assert!(network("10.1.2.3/8").contains("10.255.0.1".parse().unwrap()));
        assert!(!network("10.0.0.0/8").contains("11.0.0.0".parse().unwrap()));
        assert!(network("::/0").contains("2001:db8::1".parse().unwrap()));
        assert!(!network("::/0").contains("::ffff:10.0.0.1".parse().unwrap()), "it counts as 10.0.0.1");
        assert!(
            network("10.0.0.0/8").covers(&network("10.9.0.0/16"))
                && network("10.0.0.0/8").covers(&network("10.0.0.0/8"))
        );
        assert!(
            !network("10.9.0.0/16").covers(&network("10.0.0.0/8")) && !network("::/0").covers(&network("10.0.0.0/8"))
        );
    }

    #[test]
    fn an_ipv4_mapped_network_is_the_ipv4_network() {
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert!(network("::ffff:10.0.0.0/104").contains("::ffff:10.1.1.1".parse().unwrap()));
    }

    #[test]
    fn a_text_that_programs_read_in_different_ways_is_refused() {
        for text in [
            "010.0.0.0/8",
            "10/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            " 10.0.0.0/8",
            "fe80::1%1/64",
            "::/129",
            "a/8",
            "",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
