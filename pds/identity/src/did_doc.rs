//! DID documents, with the fields that the protocol uses. Source: <https://atproto.com/specs/did#did-documents>.

use pds_crypto::PublicKey;
use pds_syntax::{Did, Handle};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// A DID document. Keeps the fields that the protocol does not use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DidDocument {
    pub id: Did,
    /// Names of the subject. The handle is the first `at://` name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_known_as: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_method: Vec<VerificationMethod>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// All other fields, including `@context`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A key in a DID document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationMethod {
    /// `did:...#fragment` or `#fragment`.
    pub id: String,
    /// `Multikey`, or the name of an older type.
    #[serde(rename = "type")]
    pub kind: String,
    /// DID of the owner of the key.
    #[serde(default)]
    pub controller: String,
    /// The key in the form that `kind` requires.
    #[serde(default)]
    pub public_key_multibase: String,
}

/// A service in a DID document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// `did:...#fragment` or `#fragment`.
    pub id: String,
    /// For example `AtprotoPersonalDataServer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Usually a URL. DID methods other than did:plc allow any value.
    pub service_endpoint: Value,
}

impl DidDocument {
    /// The first handle in the document. It is valid only if it resolves to this DID.
    pub fn handle(&self) -> Option<Handle> {
        self.also_known_as.iter().find_map(|name| name.strip_prefix("at://")?.parse().ok())
    }

    /// The URL of the PDS of the account. `None` if it is not an http or https URL with a host.
    pub fn pds_endpoint(&self) -> Option<&str> {
        let service = self.service.iter().find(|service| self.names(&service.id, "atproto_pds"))?;
        let url = service.service_endpoint.as_str().filter(|_| service.kind == "AtprotoPersonalDataServer")?;
        let parsed = Url::parse(url).ok()?;
        (matches!(parsed.scheme(), "http" | "https") && parsed.has_host()).then_some(url)
    }

    /// The URL of the service with the id `#fragment`, of any type unless `kind` is given. `None` if it is not an http or https URL with a host.
    pub fn service_endpoint(&self, fragment: &str, kind: Option<&str>) -> Option<Url> {
        let service = self.service.iter().find(|service| self.names(&service.id, fragment))?;
        let url = service.service_endpoint.as_str().filter(|_| kind.is_none_or(|kind| kind == service.kind))?;
        Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    }

    /// The key with the id `#fragment`, for example `atproto` for the signing key of the repository.
    pub fn key(&self, fragment: &str) -> Option<PublicKey> {
        let method = self.verification_method.iter().find(|method| self.names(&method.id, fragment))?;
        PublicKey::from_verification_method(&method.kind, &method.public_key_multibase).ok()
    }

    fn names(&self, id: &str, fragment: &str) -> bool {
        id.split_once('#').is_some_and(|(did, part)| part == fragment && (did.is_empty() || did == self.id.as_str()))
    }
}
