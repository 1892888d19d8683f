//! Where a call goes.

use std::net::IpAddr;

use http::uri::{Authority, Scheme};
use pds_config::RemoteService;
use pds_identity::{Allow, is_public};
use pds_syntax::Did;
use url::{Host, Url};

/// A service: its origin, and who has chosen it.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) kind: Kind,
}

/// A service that the host's owner has chosen.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Where it is.
    pub service: Service,
    /// Its DID.
    pub did: Did,
}

/// Who has chosen a service. Also its label in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The host's owner: `PDS_BSKY_APP_VIEW_URL`.
    AppView,
    /// The host's owner: `PDS_MOD_SERVICE_URL`.
    Moderation,
    /// The host's owner: `PDS_REPORT_SERVICE_URL`.
    Report,
    /// A client, by its DID. Reached at public addresses only.
    Named,
}

impl Service {
    /// The service at this URL, whose path is ignored. `None` if it has no host.
    #[must_use]
    pub fn new(url: &Url, kind: Kind) -> Option<Self> {
        let scheme = url.scheme().parse().ok()?;
        let host = url.host_str()?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Some(Self { scheme, authority: authority.parse().ok()?, kind })
    }

    /// A service that a client has named. `None` unless it uses https, has no path, and has no IP address that `allow` forbids; with
    /// `any_address` only a path is refused. Its host name is checked when it is resolved.
    #[must_use]
    pub fn named(url: &Url, allow: &Allow, any_address: bool) -> Option<Self> {
        let number = match url.host()? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        let reachable = number.is_none_or(|address| is_public(address) || allow(&address.to_string(), address));
        let has_origin_only = matches!(url.path(), "" | "/") && url.query().is_none();
        let fits = any_address || (url.scheme() == "https" && reachable);
        Self::new(url, Kind::Named).filter(|_| fits && has_origin_only)
    }

    /// Who has chosen it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key of what is remembered about the service.
    pub(super) fn key(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

impl Configured {
    pub(super) fn new(remote: Option<&RemoteService>, kind: Kind) -> Option<Self> {
        let RemoteService { url, did } = remote?;
        Some(Self { service: Service::new(url, kind)?, did: did.clone() })
    }

    /// `DID#FRAGMENT`, by which clients and scopes name it.
    #[must_use]
    pub fn name(&self) -> String {
        self.service.kind.fragment().map_or_else(|| self.did.to_string(), |fragment| format!("{}#{fragment}", self.did))
    }
}

impl Kind {
    /// The id of such a service in its DID document.
    fn fragment(self) -> Option<&'static str> {
        match self {
            Self::AppView => Some("bsky_appview"),
            Self::Moderation | Self::Report => Some("atproto_labeler"),
            Self::Named => None,
        }
    }

    /// Whether a client that names this service by `did#fragment` means the configured one.
    pub(super) fn is_named(self, configured: &Configured, did: &Did, fragment: &str) -> bool {
        configured.did == *did && self.fragment() == Some(fragment)
    }

    /// The name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::AppView => "app_view",
            Self::Moderation => "moderation",
            Self::Report => "report",
            Self::Named => "named",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn named(url: &str, any_address: bool) -> bool {
        let allow: Allow = Arc::new(|_, address| address.to_string() == "10.0.0.7");
        Service::named(&url.parse().unwrap(), &allow, any_address).is_some()
    }

    #[test]
    fn services_of_clients_have_https_and_public_addresses() {
        for url in ["https://api.example.com", "https://api.example.com:8443/", "https://1.1.1.1", "https://10.0.0.7"] {
            assert!(named(url, false), "{url}");
        }
        for url in
            ["http://api.example.com", "https://127.0.0.1", "https://[::1]:443", "https://10.0.0.8", "https://0x7f.1"]
        {
            assert!(!named(url, false) && named(url, true), "{url}");
        }
        assert!(!named("https://api.example.com/path", true) && !named("https://api.example.com/?a", true));
    }
}
