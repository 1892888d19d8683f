//! The service that a request goes to.

use axum::http::{HeaderMap, HeaderName, request::Parts};
use pds_identity::Error;
use pds_syntax::Did;

use super::policy::{Policies, Policy};
use crate::{
    app::App,
    rate_limit::Client,
    upstream::{Kind, Service},
    xrpc::{Result, XrpcError},
};

const HEADER: HeaderName = HeaderName::from_static("atproto-proxy");

/// A service, and the audience of tokens for it.
#[derive(Clone, Debug)]
pub struct Target {
    pub service: Service,
    /// Its DID.
    pub did: Did,
}

/// A service as a client names it: `did#fragment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    did: Did,
    fragment: String,
}

/// What the head of a request says about its service.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The header names it.
    Named(Name),
    /// The method's own.
    Known(Target),
}

impl Wanted {
    /// Reads the header; without it, the method decides. Asks nobody.
    pub(super) fn of(app: &App, headers: &HeaderMap, nsid: &str, policy: Policy) -> Result<Self> {
        if let Some(header) = headers.get(HEADER).filter(|header| !header.is_empty()) {
            let text = header.to_str().map_err(|_| XrpcError::invalid("invalid proxy header format"))?;
            return Name::read(text).map(Self::Named);
        }
        let known = app.upstreams.configured(policy.service);
        let known = known.ok_or_else(|| no_service(nsid))?;
        Ok(Self::Known(Target { service: known.service.clone(), did: known.did.clone() }))
    }

    /// The service, for which the DID document of a named one may be fetched for a client at `address`.
    pub(super) async fn find(self, app: &App, address: &str) -> Result<Target> {
        match self {
            Self::Known(target) => Ok(target),
            Self::Named(name) => name.find(app, address).await,
        }
    }
}

impl Target {
    /// The app view of the settings.
    pub fn app_view(app: &App) -> Option<Self> {
        let known = app.upstreams.configured(Kind::AppView)?;
        Some(Self { service: known.service.clone(), did: known.did.clone() })
    }
}

impl Name {
    fn read(text: &str) -> Result<Self> {
        let invalid = |message| Err(XrpcError::invalid(message));
        let (did, fragment) = match text.split_once('#') {
            Some(("", _)) => return invalid("no did specified in proxy header"),
            None | Some((_, "")) => return invalid("no service id specified in proxy header"),
            Some((_, fragment)) if fragment.contains('#') => return invalid("invalid proxy header format"),
            Some(_) if text.contains(' ') => return invalid("proxy header cannot contain spaces"),
            Some(parts) => parts,
        };
        let did = did.parse().map_err(|_| XrpcError::invalid("could not resolve proxy did"))?;
        Ok(Self { did, fragment: fragment.to_owned() })
    }

    async fn find(self, app: &App, address: &str) -> Result<Target> {
        let Self { did, fragment } = self;
        if let Some(known) = app.upstreams.configured_as(&did, &fragment) {
            return Ok(Target { service: known.service.clone(), did });
        }
        let url = endpoint(app, address, &did, &fragment, None).await?;
        let service = url.and_then(|url| app.upstreams.named(&url));
        let service = service.ok_or_else(|| XrpcError::invalid("could not resolve proxy did service url"))?;
        Ok(Target { service, did })
    }
}

/// The URL of a service in a DID document, which may be fetched for a client at `address`.
pub async fn endpoint(
    app: &App,
    address: &str,
    did: &Did,
    fragment: &str,
    kind: Option<&str>,
) -> Result<Option<url::Url>> {
    let document = app.handles.lookups().did(did, address).await.map_err(|error| {
        tracing::debug!("the DID {did} of a service cannot be resolved: {error}");
        match error {
            Error::Busy => XrpcError::unavailable("Too many lookups are under way, try again", 5),
            _ => XrpcError::invalid("could not resolve proxy did"),
        }
    })?;
    Ok(document.service_endpoint(fragment, kind))
}

/// The service of a request: the one that its header names, or the method's own.
pub async fn target(app: &App, request: &Parts, nsid: &str) -> Result<Target> {
    let policy = Policies::of(&request.extensions, nsid);
    Wanted::of(app, &request.headers, nsid, policy)?.find(app, &Client::of(&request.extensions).subject).await
}

/// The service that the header of a request names, unless it is the method's own.
pub async fn named_elsewhere(app: &App, request: &Parts, nsid: &str) -> Result<Option<Target>> {
    let policy = Policies::of(&request.extensions, nsid);
    match Wanted::of(app, &request.headers, nsid, policy)? {
        Wanted::Named(name) => {
            let target = name.find(app, &Client::of(&request.extensions).subject).await?;
            Ok(Some(target).filter(|target| target.service.kind() != policy.service))
        }
        Wanted::Known(_) => Ok(None),
    }
}

/// The app view of the settings, for a method that needs it.
pub fn require_app_view(app: &App, nsid: &str) -> Result<Target> {
    Target::app_view(app).ok_or_else(|| no_service(nsid))
}

fn no_service(nsid: &str) -> XrpcError {
    XrpcError::invalid(format!("No service configured for {nsid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_did_and_a_service() {
        let name = Name::read("did:web:api.example.com#bsky_appview").unwrap();
        assert_eq!((name.did.as_str(), &*name.fragment), ("did:web:api.example.com", "bsky_appview"));
        for (text, message) in [
            ("did:web:a.test", "no service id specified in proxy header"),
            ("did:web:a.test#", "no service id specified in proxy header"),
            ("#bsky_appview", "no did specified in proxy header"),
            ("did:web:a.test#a#b", "invalid proxy header format"),
            ("did:web:a.test #a", "proxy header cannot contain spaces"),
            ("nonsense#a", "could not resolve proxy did"),
        ] {
            assert_eq!(Name::read(text).unwrap_err().message, message, "{text}");
        }
    }
}
