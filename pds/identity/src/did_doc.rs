//! DID documents, as far as the protocol reads them. Source: <https://atproto.com/specs/did#did-documents>.

use pds_crypto::PublicKey;
use pds_syntax::{Did, Handle};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// A DID document. Fields that the protocol does not read are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidDocument {
    /// Whose.
    pub id: Did,
    /// `at://handle` first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_known_as: Vec<String>,
    /// Keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_method: Vec<VerificationMethod>,
    /// Endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// `@context` and everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A key of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationMethod {
    /// `did:...#fragment` or `#fragment`.
    pub id: String,
    /// `Multikey` or an older name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose key.
    #[serde(default)]
    pub controller: String,
    /// The key.
    #[serde(default)]
    pub public_key_multibase: String,
}

/// An endpoint of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// `did:...#fragment` or `#fragment`.
    pub id: String,
    /// For instance `AtprotoPersonalDataServer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A URL; documents of other methods may hold anything here.
    pub service_endpoint: Value,
}

impl DidDocument {
    /// The first handle that the document claims. It is true only if the handle resolves to this DID.
    pub fn handle(&self) -> Option<Handle> {
        self.also_known_as.iter().find_map(|name| name.strip_prefix("at://")?.parse().ok())
    }

    /// The URL of the account's PDS, when it is one that can be called: http or https with a host.
    pub fn pds_endpoint(&self) -> Option<&str> {
        let service = self.service.iter().find(|service| self.names(&service.id, "atproto_pds"))?;
        let url = service.service_endpoint.as_str().filter(|_| service.kind == "AtprotoPersonalDataServer")?;
        let parsed = Url::parse(url).ok()?;
        (matches!(parsed.scheme(), "http" | "https") && parsed.has_host()).then_some(url)
    }

    /// The key behind `#fragment`, for instance `atproto` for the repository's.
    pub fn key(&self, fragment: &str) -> Option<PublicKey> {
        let method = self.verification_method.iter().find(|method| self.names(&method.id, fragment))?;
        PublicKey::from_verification_method(&method.kind, &method.public_key_multibase).ok()
    }

    fn names(&self, id: &str, fragment: &str) -> bool {
        id.split_once('#').is_some_and(|(did, part)| part == fragment && (did.is_empty() || did == self.id.as_str()))
    }
}
