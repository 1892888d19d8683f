//! Service tokens: short-lived tokens that another server made for a caller, signed with a key of the caller's DID document.
//!
//! Owns whose tokens count, which key of a document verifies them, and how often documents are asked for. Never remembers a token: stock
//! clients send the same one again after a failed attempt. Audience, method and time of expiry limit what a stolen token is good for.

use axum::http::{StatusCode, header, request::Parts};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use pds_crypto::{
    PublicKey,
    service_token::{Error, Token},
};
use pds_identity::{DidDocument, Error as ResolveError};
use pds_syntax::Did;

use crate::{app::App, rate_limit::Client, report::chain, xrpc::XrpcError};

/// Maximum size of a token in bytes.
const MAX_BYTES: usize = 4096;
/// The issuer's fragment for tokens of a labeler, and the fragment of the key that signs them.
const LABELER: (&str, &str) = ("atproto_labeler", "atproto_label");
/// The fragment of the key that signs all other tokens.
const ACCOUNT_KEY: &str = "atproto";

/// Whose tokens a method takes.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Those of any DID. The handler decides what the issuer may do.
    Anybody,
    /// Those of this service alone, with its account's key or with its labeler's.
    Service(&'a Did),
}

/// Who made a valid service token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The issuer without its fragment.
    pub did: Did,
    /// The fragment, if the issuer is one of the services of the DID.
    pub service: Option<String>,
}

/// The issuer of a request's service token, if the request has one.
#[derive(Clone, Debug)]
pub struct OptionalIssuer(pub Option<Issuer>);

impl Issuer {
    /// Verifies the service token of a request for the method that it calls. Uses a cached DID document; if the signature does not verify
    /// with its key, the document is refreshed once.
    ///
    /// # Errors
    /// The answer to the client.
    pub async fn prove(app: &App, parts: &Parts, trust: Trust<'_>) -> Result<Self, XrpcError> {
        let (token, issuer) = Self::read(app, parts, trust).map_err(|refusal| counted(app, refusal))?;
        let found = app.handles.lookups().did(&issuer.did, &Client::of(&parts.extensions).subject).await;
        let document = found.map_err(|error| unresolved(&issuer.did, &error))?;
        let verified = match token.verify(&issuer.key(&document)?) {
            // Other failures do not depend on the key.
            Err(Error::BadJwtSignature) => issuer.verify_again(app, &token).await,
            verified => verified.map_err(refuse),
        };
        verified.map_err(|refusal| counted(app, refusal)).map(|()| issuer)
    }

    /// The issuer that the service token of a request names. The signature is not verified.
    ///
    /// # Errors
    /// The answer to the client.
    pub(super) fn claimed(app: &App, parts: &Parts) -> Result<Self, XrpcError> {
        Self::read(app, parts, Trust::Anybody).map(|(_, issuer)| issuer).map_err(|refusal| counted(app, refusal))
    }

    /// As [`Issuer::prove`] for [`Trust::Anybody`], with the current DID document: a key that was rotated away does not count any more.
    ///
    /// # Errors
    /// The answer to the client.
    pub async fn prove_now(app: &App, parts: &Parts) -> Result<Self, XrpcError> {
        let (token, issuer) = Self::read(app, parts, Trust::Anybody).map_err(|refusal| counted(app, refusal))?;
        let found = app.handles.lookups().fresh_did(&issuer.did, &Client::of(&parts.extensions).subject).await;
        let document = found.map_err(|error| unresolved(&issuer.did, &error))?;
        token.verify(&issuer.key(&document)?).map_err(|error| counted(app, refuse(error))).map(|()| issuer)
    }

    /// The token of a request and its issuer, with everything checked that needs no key.
    fn read(app: &App, parts: &Parts, trust: Trust<'_>) -> Result<(Token, Self), XrpcError> {
        let missing = || XrpcError::new(StatusCode::UNAUTHORIZED, "MissingJwt", "missing jwt");
        let token = parts.headers.typed_get::<Authorization<Bearer>>().ok_or_else(missing)?;
        let token = match token.token().len() {
            ..=MAX_BYTES => Token::decode(token.token()).map_err(refuse)?,
            _ => return Err(refuse(Error::BadJwt)),
        };
        let method = parts.uri.path().strip_prefix("/xrpc/").unwrap_or_default();
        token.check(app.settings.service.did.as_str(), method, app.clock.now_s()).map_err(refuse)?;
        let issuer = Self::parse(&token.claims.iss).ok_or_else(|| refuse(Error::BadJwtIss))?;
        match trust.allows(&issuer) {
            true => Ok((token, issuer)),
            false => Err(XrpcError::new(StatusCode::UNAUTHORIZED, "UntrustedIss", "Untrusted issuer")),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (did, service) = match text.split_once('#') {
            Some((_, service)) if service.is_empty() || service.contains('#') => return None,
            Some((did, service)) => (did, Some(service.to_owned())),
            None => (text, None),
        };
        Some(Self { did: did.parse().ok()?, service })
    }

    async fn verify_again(&self, app: &App, token: &Token) -> Result<(), XrpcError> {
        let fresh = app.resolver.refresh_doubted_did(&self.did).await;
        match fresh.map_err(|error| unresolved(&self.did, &error))? {
            Some(document) => token.verify(&self.key(&document)?).map_err(refuse),
            None => Err(refuse(Error::BadJwtSignature)),
        }
    }

    fn key(&self, document: &DidDocument) -> Result<PublicKey, XrpcError> {
        let is_labeler = self.service.as_deref() == Some(LABELER.0);
        let found = document.key(if is_labeler { LABELER.1 } else { ACCOUNT_KEY });
        found.ok_or_else(|| XrpcError::auth_required("missing or bad key in did doc"))
    }
}

impl Trust<'_> {
    fn allows(self, issuer: &Issuer) -> bool {
        match self {
            Self::Anybody => true,
            Self::Service(did) => {
                issuer.did == *did && matches!(issuer.service.as_deref(), None | Some("atproto_labeler"))
            }
        }
    }
}

impl OptionalIssuer {
    pub(super) async fn prove(app: &App, parts: &Parts) -> Result<Self, XrpcError> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        if parts.headers.typed_get::<Authorization<Bearer>>().is_none() {
            return Err(XrpcError::auth_required("Invalid authorization header"));
        }
        Issuer::prove_now(app, parts).await.map(|issuer| Self(Some(issuer)))
    }
}

/// Whether the token of a request says that it is a service token: it names a method. Nothing of it is verified.
pub(super) fn is_service_token(parts: &Parts) -> bool {
    let token = parts.headers.typed_get::<Authorization<Bearer>>();
    token
        .filter(|token| token.token().len() <= MAX_BYTES)
        .is_some_and(|token| Token::decode(token.token()).is_ok_and(|token| token.claims.lxm.is_some()))
}

fn refuse(error: Error) -> XrpcError {
    XrpcError::new(StatusCode::UNAUTHORIZED, error.name(), error.to_string())
}

fn counted(app: &App, refusal: XrpcError) -> XrpcError {
    if refusal.status == StatusCode::UNAUTHORIZED {
        app.metrics.auth_failed("service_token");
    }
    refusal
}

/// The answer if there is no document. Only the directory is a part of this server's own; other hosts may be away for ever.
fn unresolved(did: &Did, error: &ResolveError) -> XrpcError {
    match error {
        ResolveError::Busy => XrpcError::unavailable("Too many lookups are under way, try again", 5),
        ResolveError::Unreachable { .. } if did.method() == "plc" => {
            tracing::warn!(
                error = chain(error),
                "a service token of {did} was not checked: the PLC directory could not be reached"
            );
            XrpcError::unavailable("The PLC directory is not available, try again", 5)
        }
        _ => XrpcError::auth_required("could not resolve iss did"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(text: &str) -> Option<Issuer> {
        Issuer::parse(text)
    }

    #[test]
    fn an_issuer_is_a_did_perhaps_with_one_fragment() {
        let did: Did = "did:web:mod.test".parse().unwrap();
        assert_eq!(issuer("did:web:mod.test"), Some(Issuer { did: did.clone(), service: None }));
        let labeler = issuer("did:web:mod.test#atproto_labeler").unwrap();
        assert_eq!(labeler, Issuer { did: did.clone(), service: Some("atproto_labeler".to_owned()) });
        for bad in ["", "mod.test", "did:web:mod.test#", "did:web:mod.test#a#b", "#atproto_labeler"] {
            assert_eq!(issuer(bad), None, "{bad}");
        }
        let trust = Trust::Service(&did);
        assert!(trust.allows(&labeler) && trust.allows(&issuer("did:web:mod.test").unwrap()));
        assert!(!trust.allows(&issuer("did:web:mod.test#other").unwrap()));
        assert!(!trust.allows(&issuer("did:web:other.test").unwrap()));
        assert!(Trust::Anybody.allows(&issuer("did:web:other.test#other").unwrap()));
    }
}
