//! DID documents, with the fields that the protocol uses. Source: <https://atproto.com/specs/did#did-documents>.

use pds_crypto::PublicKey;
use pds_syntax::{Did, Handle};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Maximum size of a document in bytes, and of JSON values in it.
const MAX_BYTES: usize = 64 * 1024;
const MAX_VALUES: usize = 2000;
/// Entries for which a list or an object has room at least, and bytes of an object beside its entries.
const LEAST_ENTRIES: usize = 4;
const OBJECT_BYTES: usize = 64;

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
    /// Reads a document of at most 64 KiB with at most 2000 JSON values.
    ///
    /// # Errors
    /// The limit that the document exceeds, or the reason for which it is no DID document.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        if json.len() > MAX_BYTES {
            return Err(format!("the document has {} bytes, at most {MAX_BYTES} are allowed", json.len()));
        }
        let values = count_values(json);
        if values > MAX_VALUES {
            return Err(format!("the document has {values} values, at most {MAX_VALUES} are allowed"));
        }
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }

    /// Memory that the document takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let names = self.also_known_as.iter().map(String::len).sum::<usize>();
        let keys = self.verification_method.iter().map(|method| {
            method.id.len() + method.kind.len() + method.controller.len() + method.public_key_multibase.len()
        });
        let services = self
            .service
            .iter()
            .map(|service| service.id.len() + service.kind.len() + heap_bytes(&service.service_endpoint));
        let lists = list_bytes(&self.also_known_as) + list_bytes(&self.verification_method) + list_bytes(&self.service);
        let texts = self.id.as_str().len() + names + keys.sum::<usize>() + services.sum::<usize>();
        size_of::<Self>() + lists + texts + object_bytes(&self.other)
    }

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

/// At least as many as this JSON has values.
fn count_values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut is_escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// Memory of a value beside the value itself.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => list_bytes(values) + values.iter().map(heap_bytes).sum::<usize>(),
        Value::Object(fields) => object_bytes(fields),
    }
}

fn list_bytes<T>(values: &[T]) -> usize {
    if values.is_empty() { 0 } else { values.len().max(LEAST_ENTRIES) * size_of::<T>() }
}

fn object_bytes(fields: &Map<String, Value>) -> usize {
    if fields.is_empty() {
        return 0;
    }
    // Each entry has its hash and a place in the table of hashes.
    let entry = size_of::<String>() + size_of::<Value>() + 2 * size_of::<usize>();
    let inside = fields.iter().map(|(name, value)| name.len() + heap_bytes(value));
    OBJECT_BYTES + fields.len().max(LEAST_ENTRIES) * entry + inside.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "did:web:alice.example";

    fn read(document: &Value) -> Result<DidDocument, String> {
        DidDocument::read(document.to_string().as_bytes())
    }

    #[test]
    fn documents_are_bounded_in_bytes_and_values() {
        let fits = json!({"id": ID, "x": vec![json!([0]); 900], "alsoKnownAs": ["at://a,[{\\\",[{"]});
        assert!(read(&fits).unwrap().memory_bytes() > 900 * size_of::<Value>());
        let long = read(&json!({"id": ID, "x": "x".repeat(MAX_BYTES)})).unwrap_err();
        assert!(long.contains("bytes, at most 65536 are allowed"), "{long}");
        let wide = read(&json!({"id": ID, "x": vec![json!([0]); 1000]})).unwrap_err();
        assert_eq!(wide, "the document has 2003 values, at most 2000 are allowed");
    }

    #[test]
    fn an_ordinary_document_takes_less_than_a_page() {
        let document = json!({
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "alsoKnownAs": ["at://alice.example.com"],
            "verificationMethod": [{
                "id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto", "type": "Multikey",
                "controller": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                "publicKeyMultibase": "zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w",
            }],
            "service": [{
                "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com",
            }],
        });
        let bytes = read(&document).unwrap().memory_bytes();
        assert!((500..4096).contains(&bytes), "{bytes}");
    }
}
