//! Which operations are well-formed. The limits are those of the directory's server.

use std::{collections::BTreeMap, fmt};

use data_encoding::BASE64URL_NOPAD;
use pds_crypto::PublicKey;
use serde_json::{Map, Value};

use super::{Operation, PlcService, SignedOperation};

/// Maximum number of entries in each list and map.
const ENTRIES: usize = 10;
/// Maximum length of names, of other names of the subject and service types, and of endpoints; in bytes.
const NAME: usize = 32;
const TEXT: usize = 256;
const ENDPOINT: usize = 512;
/// Length of a signature in bytes.
const SIGNATURE: usize = 64;
const FIELDS: [&str; 7] = ["type", "rotationKeys", "verificationMethods", "alsoKnownAs", "services", "prev", "sig"];

/// A field of an operation that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its path, for example `services/atproto_pds/endpoint`.
    pub field: String,
    /// What is allowed, and what was found.
    pub rule: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

impl std::error::Error for Malformed {}

fn malformed(field: impl Into<String>, rule: impl Into<String>) -> Malformed {
    Malformed { field: field.into(), rule: rule.into() }
}

impl SignedOperation {
    /// Reads an operation that a client sends.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(value: &Value) -> Result<Self, Malformed> {
        let fields = value.as_object().ok_or_else(|| malformed("operation", "must be an object"))?;
        if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            let unknown: String = unknown.chars().take(NAME).collect();
            return Err(malformed(unknown, "is no field of an operation"));
        }
        match fields.get("type").and_then(Value::as_str) {
            Some("plc_operation") => {}
            _ => return Err(malformed("type", "must be \"plc_operation\"")),
        }
        let texts = |name: &str| match fields.get(name) {
            Some(Value::Array(items)) => {
                let text = |(at, item): (usize, &Value)| {
                    item.as_str()
                        .map(str::to_owned)
                        .ok_or_else(|| malformed(format!("{name}/{at}"), "must be a string"))
                };
                items.iter().enumerate().map(text).collect()
            }
            _ => Err(malformed(name, "must be an array of strings")),
        };
        let prev = match fields.get("prev") {
            Some(Value::Null) => None,
            Some(Value::String(cid)) if !cid.is_empty() && cid.len() <= TEXT => Some(cid.clone()),
            _ => return Err(malformed("prev", "must be a CID or null")),
        };
        let sig = fields.get("sig").and_then(Value::as_str).unwrap_or_default();
        if BASE64URL_NOPAD.decode(sig.as_bytes()).map_or(0, |bytes| bytes.len()) != SIGNATURE {
            return Err(malformed("sig", format!("must be {SIGNATURE} bytes in base64url without padding")));
        }
        let operation = Operation {
            kind: "plc_operation".into(),
            rotation_keys: texts("rotationKeys")?,
            verification_methods: methods(fields.get("verificationMethods").unwrap_or(&Value::Null))?,
            also_known_as: texts("alsoKnownAs")?,
            services: services(fields.get("services").unwrap_or(&Value::Null))?,
            prev,
        };
        operation.check()?;
        Ok(Self { operation, sig: sig.to_owned() })
    }
}

impl Operation {
    /// Checks the fields that say something about the DID.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn check(&self) -> Result<(), Malformed> {
        let count = |field: &str, least: usize, found: usize| match (least..=ENTRIES).contains(&found) {
            true => Ok(()),
            false => Err(malformed(field, format!("must have {least} to {ENTRIES} entries, found {found}"))),
        };
        count("rotationKeys", 1, self.rotation_keys.len())?;
        for (at, key) in self.rotation_keys.iter().enumerate() {
            let field = format!("rotationKeys/{at}");
            did_key(&field, key)?;
            if self.rotation_keys[..at].contains(key) {
                return Err(malformed(field, "must not be there twice"));
            }
        }
        count("verificationMethods", 0, self.verification_methods.len())?;
        for (name, key) in &self.verification_methods {
            did_key(&named("verificationMethods", name)?, key)?;
        }
        count("alsoKnownAs", 0, self.also_known_as.len())?;
        for (at, name) in self.also_known_as.iter().enumerate() {
            text(format!("alsoKnownAs/{at}"), name, TEXT)?;
            if self.also_known_as[..at].contains(name) {
                return Err(malformed(format!("alsoKnownAs/{at}"), "must not be there twice"));
            }
        }
        count("services", 0, self.services.len())?;
        for (name, service) in &self.services {
            let field = named("services", name)?;
            text(format!("{field}/type"), &service.kind, TEXT)?;
            text(format!("{field}/endpoint"), &service.endpoint, ENDPOINT)?;
        }
        Ok(())
    }
}

/// Reads `verificationMethods`.
///
/// # Errors
/// What is not as it must be.
pub fn methods(value: &Value) -> Result<BTreeMap<String, String>, Malformed> {
    let key = |(name, key): (&String, &Value)| match key.as_str() {
        Some(key) => Ok((name.clone(), key.to_owned())),
        None => Err(malformed(named("verificationMethods", name)?, "must be a did:key")),
    };
    object("verificationMethods", value)?.iter().map(key).collect()
}

/// Reads `services`.
///
/// # Errors
/// What is not as it must be.
pub fn services(value: &Value) -> Result<BTreeMap<String, PlcService>, Malformed> {
    let service = |(name, service): (&String, &Value)| {
        let field = named("services", name)?;
        let fields = object(&field, service)?;
        if let Some(unknown) = fields.keys().find(|name| !["type", "endpoint"].contains(&name.as_str())) {
            return Err(malformed(field, format!("must have only type and endpoint, found {:.32}", unknown)));
        }
        let text = |part: &str| {
            let text = fields.get(part).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| malformed(format!("{field}/{part}"), "must be a string"))
        };
        Ok((name.clone(), PlcService { kind: text("type")?, endpoint: text("endpoint")? }))
    };
    object("services", value)?.iter().map(service).collect()
}

fn object<'a>(field: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Malformed> {
    value.as_object().ok_or_else(|| malformed(field, "must be an object"))
}

/// The path of an entry of a map.
fn named(field: &str, name: &str) -> Result<String, Malformed> {
    match name.len() {
        1..=NAME => Ok(format!("{field}/{name}")),
        found => Err(malformed(field, format!("must have names of 1 to {NAME} bytes, found {found}"))),
    }
}

fn text(field: String, text: &str, most: usize) -> Result<(), Malformed> {
    match text.len() {
        found if found == 0 || found > most => {
            Err(malformed(field, format!("must have 1 to {most} bytes, found {found}")))
        }
        _ => Ok(()),
    }
}

fn did_key(field: &str, key: &str) -> Result<(), Malformed> {
    match key.len() {
        ..=TEXT => PublicKey::from_did_key(key)
            .map(drop)
            .map_err(|error| malformed(field, format!("must be a did:key: {error}"))),
        found => Err(malformed(field, format!("must be a did:key, found {found} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use pds_crypto::SigningKey;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_refused_by_name() {
        let (rotation, signing) = (SigningKey::generate(), SigningKey::generate());
        let handle = "alice.example".parse().unwrap();
        let (signing, key) = (signing.did_key(), rotation.did_key());
        let genesis = crate::plc::genesis(&signing, &key, None, &handle, "https://pds.example").sign(&rotation);
        let good = serde_json::to_value(&genesis).unwrap();
        assert_eq!(SignedOperation::read(&good).unwrap(), genesis);
        for (field, bad, named) in [
            ("type", json!("plc_tombstone"), "type must be"),
            ("rotationKeys", json!("did:key:z"), "rotationKeys must be an array"),
            ("rotationKeys", json!([]), "rotationKeys must have 1 to 10 entries, found 0"),
            ("rotationKeys", json!([1]), "rotationKeys/0 must be a string"),
            ("rotationKeys", json!([key, "did:key:zNo"]), "rotationKeys/1 must be a did:key"),
            ("rotationKeys", json!([key, key]), "rotationKeys/1 must not be there twice"),
            ("verificationMethods", json!(null), "verificationMethods must be an object"),
            ("verificationMethods", json!({"atproto": 1}), "verificationMethods/atproto must be a did:key"),
            ("verificationMethods", json!({"": key}), "verificationMethods must have names"),
            ("alsoKnownAs", json!(["a".repeat(257)]), "alsoKnownAs/0 must have 1 to 256 bytes, found 257"),
            ("alsoKnownAs", json!(["at://a.b", "at://a.b"]), "alsoKnownAs/1 must not be there twice"),
            ("services", json!([]), "services must be an object"),
            ("services", json!({"atproto_pds": "x"}), "services/atproto_pds must be an object"),
            ("services", json!({"atproto_pds": {"type": "x"}}), "services/atproto_pds/endpoint must be a string"),
            ("services", json!({"a": {"type": "x", "endpoint": "x".repeat(513)}}), "services/a/endpoint must have"),
            ("services", json!({"a": {"type": "x", "endpoint": "x", "more": 1}}), "services/a must have only"),
            ("prev", json!(7), "prev must be a CID or null"),
            ("sig", json!("abc"), "sig must be 64 bytes"),
            ("more", json!(1), "more is no field"),
        ] {
            let mut operation = good.clone();
            operation[field] = bad;
            let error = SignedOperation::read(&operation).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
        assert_eq!(SignedOperation::read(&json!([])).unwrap_err().to_string(), "operation must be an object");
    }
}
