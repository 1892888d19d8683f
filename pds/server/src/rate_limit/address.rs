//! The address of a request's client.

use std::net::{IpAddr, SocketAddr};

use ipnet::Ipv6Net;
use pds_config::Cidr;

/// The client behind trusted proxies: the right-most address in `X-Forwarded-For` that is not one of theirs. `forwarded` are the lines of
/// that header. What is further to the left was written by the client and is ignored.
pub fn client<'a>(peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let peer = peer.to_canonical();
    if !is_trusted(&peer) {
        return peer;
    }
    let hops = forwarded.rev().flat_map(|line| line.rsplit(',')).map(address);
    let mut nearest = None;
    for hop in hops {
        let Some(hop) = hop else { break };
        if !is_trusted(&hop) {
            return hop;
        }
        nearest = nearest.or(Some(hop));
    }
    // All are proxies, or clients in their networks. The address that the nearest proxy wrote is the one that no client can write.
    nearest.unwrap_or(peer)
}

/// The address of a client as limits count it. Providers give each customer at least a /64 of IPv6, so that is one client.
pub fn subject(client: IpAddr) -> String {
    match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().to_string(),
    }
}

/// An address as proxies write it: alone, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(bare).or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["127.0.0.0/8", "10.0.0.0/8", "fc00::/7"].map(|network| network.parse().unwrap());
        client(peer.parse().unwrap(), forwarded.iter().copied(), &trusted).to_string()
    }

    #[test]
    fn the_client_is_the_right_most_address_outside_the_proxies() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.2", &[]), "10.0.0.2");
        assert_eq!(seen("10.0.0.2", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("::ffff:10.0.0.2", &["1.1.1.1, 198.51.100.1:4711 , 10.0.0.3"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.2", &["1.1.1.1", "[2001:db8::1]:80, fd00::2"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.2", &["1.1.1.1, nonsense, 10.0.0.3"]), "10.0.0.3");
    }

    #[test]
    fn inside_the_networks_of_proxies_the_nearest_one_is_believed() {
        assert_eq!(seen("10.0.0.2", &["10.6.6.6, 10.9.9.9"]), "10.9.9.9");
    }

    #[test]
    fn one_customer_is_one_subject() {
        assert_eq!(subject("198.51.100.1".parse().unwrap()), "198.51.100.1");
        assert_eq!(subject("2001:db8:1:2:3::4".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(subject("2001:db8:1:2:ffff::".parse().unwrap()), "2001:db8:1:2::/64");
    }
}
