//! Operations in the log of a did:plc.

use std::collections::BTreeMap;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use ipld_core::ipld::Ipld;
use pds_crypto::SigningKey;
use pds_syntax::{Did, Handle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The state that an operation gives a DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Always `plc_operation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// did:keys that may sign operations on the DID. Earlier keys can override later ones.
    pub rotation_keys: Vec<String>,
    /// did:keys by name. `atproto` is the signing key of the repository.
    pub verification_methods: BTreeMap<String, String>,
    /// Names of the subject. The handle is the first `at://` name.
    pub also_known_as: Vec<String>,
    /// Services by name. `atproto_pds` is the PDS.
    pub services: BTreeMap<String, PlcService>,
    /// CID of the previous operation. `None` in a genesis operation.
    pub prev: Option<String>,
}

/// A service in an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlcService {
    /// For example `AtprotoPersonalDataServer`.
    #[serde(rename = "type")]
    pub kind: String,
    pub endpoint: String,
}

/// An operation with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOperation {
    #[serde(flatten)]
    pub operation: Operation,
    /// Signature of the DAG-CBOR without this field, in base64url.
    pub sig: String,
}

/// The genesis operation of a new account on this host, not signed yet. The keys in `recovery` outrank `rotation`, which is the host's own as did:key,
/// and the first ones the later ones.
pub fn genesis<'a>(
    signing: &str,
    rotation: &str,
    recovery: impl IntoIterator<Item = &'a Did>,
    handle: &Handle,
    endpoint: &str,
) -> Operation {
    let service = PlcService { kind: "AtprotoPersonalDataServer".into(), endpoint: endpoint.into() };
    Operation {
        kind: "plc_operation".into(),
        rotation_keys: rotation_keys(recovery, rotation),
        verification_methods: BTreeMap::from([("atproto".into(), signing.into())]),
        also_known_as: vec![format!("at://{handle}")],
        services: BTreeMap::from([("atproto_pds".into(), service)]),
        prev: None,
    }
}

/// The rotation keys of an account on this host, as did:keys: those of `recovery`, each once, then the host's own.
pub fn rotation_keys<'a>(recovery: impl IntoIterator<Item = &'a Did>, rotation: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for key in recovery.into_iter().map(Did::to_string).chain([rotation.to_owned()]) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

impl Operation {
    /// Signs the operation with a rotation key of this process.
    pub fn sign(self, rotation: &SigningKey) -> SignedOperation {
        let signature = rotation.sign(&self.message());
        self.signed(&signature)
    }

    /// The bytes that are signed.
    pub fn message(&self) -> Vec<u8> {
        encode(self, None)
    }

    /// The operation with a signature of [`Operation::message`].
    pub fn signed(self, signature: &[u8; 64]) -> SignedOperation {
        SignedOperation { operation: self, sig: BASE64URL_NOPAD.encode(signature) }
    }
}

impl SignedOperation {
    /// The CID of the operation, to which the next operation refers.
    pub fn cid(&self) -> String {
        cid_of(&self.encode())
    }

    /// The DID that this genesis operation creates: 24 characters of the base32 of its SHA-256.
    pub fn did(&self) -> Did {
        let text = BASE32_NOPAD.encode(&Sha256::digest(self.encode())).to_ascii_lowercase();
        format!("did:plc:{}", &text[..24]).parse().expect("base32 is legal in a DID")
    }

    fn encode(&self) -> Vec<u8> {
        encode(&self.operation, Some(&self.sig))
    }
}

/// The CID of a block of DAG-CBOR.
pub(super) fn cid_of(block: &[u8]) -> String {
    let digest = Sha256::digest(block);
    let bytes = [&[1, 0x71, 0x12, 0x20][..], &digest[..]].concat();
    format!("b{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
}

fn encode(operation: &Operation, sig: Option<&str>) -> Vec<u8> {
    let text = |text: &str| Ipld::String(text.to_owned());
    let texts = |all: &[String]| Ipld::List(all.iter().map(|item| text(item)).collect());
    let services = operation.services.iter().map(|(name, service)| {
        let fields = [("type".to_owned(), text(&service.kind)), ("endpoint".to_owned(), text(&service.endpoint))];
        (name.clone(), Ipld::Map(fields.into()))
    });
    let methods = operation.verification_methods.iter().map(|(name, key)| (name.clone(), text(key)));
    let mut map = BTreeMap::from([
        ("type".to_owned(), text(&operation.kind)),
        ("rotationKeys".to_owned(), texts(&operation.rotation_keys)),
        ("verificationMethods".to_owned(), Ipld::Map(methods.collect())),
        ("alsoKnownAs".to_owned(), texts(&operation.also_known_as)),
        ("services".to_owned(), Ipld::Map(services.collect())),
        ("prev".to_owned(), operation.prev.as_deref().map_or(Ipld::Null, text)),
    ]);
    if let Some(sig) = sig {
        map.insert("sig".to_owned(), text(sig));
    }
    serde_ipld_dagcbor::to_vec(&Ipld::Map(map)).expect("texts, lists and maps always encode")
}
