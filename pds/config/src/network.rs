//! Networks and outbound rules, as plain values.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IP network such as `10.0.0.0/8`; a single address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// A destination that outbound requests may reach although it is not a public address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AllowRule {
    /// Every address in this network.
    Network(Cidr),
    /// This host name and every name below it; lower case, no leading dot.
    Host(String),
}

impl Cidr {
    /// True if the address lies inside. An IPv4-mapped IPv6 address counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REASON: &str = "is neither an IP address nor a network like 10.0.0.0/8";
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let network: IpAddr = address.parse().map_err(|_| REASON)?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| REASON)?;
        if prefix > bits {
            return Err("has more prefix bits than the address has");
        }
        Ok(Self { network, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl AllowRule {
    /// True if the rule is for this host name.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let Self::Host(suffix) = self else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// True if the rule is for this address.
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

/// RFC 1123 name in lower case whose last label is not a number (that would be an address).
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
