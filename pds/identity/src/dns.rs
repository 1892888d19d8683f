//! Addresses of host names: from the hosts file, then from DNS.
//!
//! Waits for a name server without a thread: the system's own resolver (`getaddrinfo`) blocks one for as long as a name server is silent,
//! and strangers choose which name servers are asked. Reads the files of the system once, at the start. Caches nothing.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    Hosts, ResolverBuilder, TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
};
use reqwest::dns::{Addrs, Resolve, Resolving};

/// Times that a name server is asked within the time of a lookup.
const ATTEMPTS: u32 = 2;

/// Looks up addresses of host names. Cheap to clone.
#[derive(Clone)]
pub struct Dns {
    hosts: Arc<Hosts>,
    dns: Option<TokioResolver>,
    timeout: Duration,
}

impl Dns {
    /// Queries `nameservers`, or those of the system if the list is empty. `timeout` is the maximum time of a lookup.
    #[must_use]
    pub fn new(nameservers: &[SocketAddr], timeout: Duration) -> Self {
        let each = timeout / ATTEMPTS;
        let dns = if nameservers.is_empty() { system(Some(each)) } else { asking(nameservers, Some(each)) };
        // A system without the file has no names in it.
        Self { hosts: Arc::new(Hosts::from_system().unwrap_or_default()), dns, timeout }
    }

    /// All addresses of a host, with port 0.
    ///
    /// Cancellation: ends the lookup.
    ///
    /// # Errors
    /// When the host has none, or the name servers did not say so in time.
    pub(crate) async fn find(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let name = Name::from_utf8(host).map_err(io::Error::other)?;
        let listed = self.listed(&name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let dns = self.dns.as_ref().ok_or_else(|| io::Error::other("the system has no DNS servers configured"))?;
        let found = tokio::time::timeout(self.timeout, dns.lookup_ip(name)).await;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the DNS servers did not respond in time");
        let found = found.map_err(late)?.map_err(io::Error::other)?;
        Ok(found.iter().map(without_port).collect())
    }

    /// The addresses of a host in the hosts file.
    fn listed(&self, name: &Name) -> Vec<SocketAddr> {
        let kinds = [RecordType::A, RecordType::AAAA].into_iter();
        let found = kinds.filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)));
        let addresses = found.flat_map(|found| {
            let found = found.answers().iter().filter_map(|record| record.data.ip_addr());
            found.collect::<Vec<_>>()
        });
        addresses.map(without_port).collect()
    }
}

fn without_port(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 0)
}

impl Resolve for Dns {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move { Ok(Box::new(this.find(name.as_str()).await?.into_iter()) as Addrs) })
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dns({:?})", self.timeout)
    }
}

/// A client of the DNS servers of the system. `each` is the maximum time for which a server is waited for before it is asked again.
pub(crate) fn system(each: Option<Duration>) -> Option<TokioResolver> {
    build(TokioResolver::builder_tokio().ok()?, each)
}

/// A client of these DNS servers.
pub(crate) fn asking(servers: &[SocketAddr], each: Option<Duration>) -> Option<TokioResolver> {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        config.connections.iter_mut().for_each(|connection| connection.port = server.port());
        config
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    build(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()), each)
}

fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>, each: Option<Duration>) -> Option<TokioResolver> {
    let options = builder.options_mut();
    // The cache in `cached` alone decides how long results are used.
    options.cache_size = 0;
    if let Some(each) = each {
        options.timeout = options.timeout.min(each);
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    #[tokio::test]
    async fn names_of_the_hosts_file_are_found_and_a_silent_name_server_is_given_up_in_time() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = Dns::new(&[silent.local_addr().unwrap()], Duration::from_millis(100));
        let found = dns.find("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        let asked = tokio::time::timeout(Duration::from_secs(4), dns.find("alice.example"));
        assert!(asked.await.expect("it does not wait as long as the system does").is_err());
    }
}
