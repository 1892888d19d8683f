//! The newest entry in the log of a did:plc, on which the next operation is built.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use pds_syntax::{Did, Handle};
use serde::Deserialize;
use serde_json::Value;

use super::{Operation, PlcService, SignedOperation, operation::cid_of};
use crate::Error;

/// The state of a DID, and the CID of the operation that gave it this state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// In the form of today: an operation of 2022 is translated.
    pub operation: Operation,
    /// The next operation refers to it.
    pub cid: String,
}

/// A genesis operation of 2022.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    signing_key: String,
    recovery_key: String,
    handle: String,
    service: String,
}

impl From<&SignedOperation> for Last {
    fn from(signed: &SignedOperation) -> Self {
        Self { operation: signed.operation.clone(), cid: signed.cid() }
    }
}

impl Last {
    /// Reads an entry of the log of `did`. Its CID counts all its fields, known or not.
    ///
    /// # Errors
    /// [`Error::Tombstoned`], or [`Error::Answer`] if it is no operation.
    pub(crate) fn read(did: &Did, entry: Value) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Answer { name: format!("the newest operation of {did}"), reason };
        let kind = entry["type"].as_str().unwrap_or_default().to_owned();
        if kind == "plc_tombstone" {
            return Err(Error::Tombstoned(did.to_string()));
        }
        let block = ipld(&entry).ok_or_else(|| invalid("it has values that no operation has".to_owned()))?;
        let cid = cid_of(&serde_ipld_dagcbor::to_vec(&block).map_err(|error| invalid(error.to_string()))?);
        let operation = match kind.as_str() {
            "create" => serde_json::from_value::<Create>(entry).map(Operation::from),
            _ => serde_json::from_value(entry),
        };
        Ok(Self { operation: operation.map_err(|error| invalid(error.to_string()))?, cid })
    }

    /// The next operation without a change.
    pub fn next(&self) -> Operation {
        Operation { kind: "plc_operation".into(), prev: Some(self.cid.clone()), ..self.operation.clone() }
    }

    /// The next operation, which replaces the first handle and keeps everything else.
    pub fn with_handle(&self, handle: &Handle) -> Operation {
        let mut next = self.next();
        let name = format!("at://{handle}");
        match next.also_known_as.iter_mut().find(|known| known.starts_with("at://")) {
            Some(known) => *known = name,
            None => next.also_known_as.insert(0, name),
        }
        next
    }

    /// The next operation, which replaces the signing key of the repository and keeps everything else.
    pub fn with_signing_key(&self, key: &str) -> Operation {
        let mut next = self.next();
        next.verification_methods.insert("atproto".to_owned(), key.to_owned());
        next
    }
}

impl From<Create> for Operation {
    fn from(create: Create) -> Self {
        let Create { signing_key, recovery_key, handle, service } = create;
        let prefixed =
            |text: String, known: &[&str], prefix: &str| match known.iter().any(|start| text.starts_with(start)) {
                true => text,
                false => format!("{prefix}{text}"),
            };
        let handle = handle.replacen("http://", "", 1).replacen("https://", "", 1);
        let endpoint = prefixed(service, &["http://", "https://"], "https://");
        Self {
            kind: "plc_operation".into(),
            rotation_keys: vec![recovery_key, signing_key.clone()],
            verification_methods: BTreeMap::from([("atproto".to_owned(), signing_key)]),
            also_known_as: vec![prefixed(handle, &["at://"], "at://")],
            services: BTreeMap::from([(
                "atproto_pds".to_owned(),
                PlcService { kind: "AtprotoPersonalDataServer".into(), endpoint },
            )]),
            prev: None,
        }
    }
}

/// Operations have texts, lists, maps and null.
fn ipld(value: &Value) -> Option<Ipld> {
    Some(match value {
        Value::Null => Ipld::Null,
        Value::String(text) => Ipld::String(text.clone()),
        Value::Array(items) => Ipld::List(items.iter().map(ipld).collect::<Option<_>>()?),
        Value::Object(fields) => {
            Ipld::Map(fields.iter().map(|(name, value)| Some((name.clone(), ipld(value)?))).collect::<Option<_>>()?)
        }
        Value::Bool(_) | Value::Number(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use pds_crypto::SigningKey;
    use serde_json::json;

    use super::*;
    use crate::plc::genesis;

    fn did() -> Did {
        "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap()
    }

    #[test]
    fn an_entry_has_the_cid_of_the_operation() {
        let rotation = SigningKey::generate();
        let handle = "alice.example".parse().unwrap();
        let key = rotation.did_key();
        let genesis = genesis(&key, &key, None, &handle, "https://pds.example").sign(&rotation);
        let read = Last::read(&genesis.did(), serde_json::to_value(&genesis).unwrap()).unwrap();
        assert_eq!(read, Last::from(&genesis));
        assert_eq!(read.next().prev, Some(genesis.cid()));
    }

    #[test]
    fn an_operation_of_2022_is_translated() {
        let entry = json!({
            "type": "create", "signingKey": "did:key:zSigning", "recoveryKey": "did:key:zRecovery",
            "handle": "alice.example", "service": "pds.example", "prev": null, "sig": "c2ln",
        });
        let Operation { rotation_keys, verification_methods, also_known_as, services, prev, kind } =
            Last::read(&did(), entry).unwrap().operation;
        assert_eq!((kind.as_str(), prev), ("plc_operation", None));
        assert_eq!(rotation_keys, ["did:key:zRecovery", "did:key:zSigning"]);
        assert_eq!(verification_methods["atproto"], "did:key:zSigning");
        assert_eq!(also_known_as, ["at://alice.example"]);
        assert_eq!(services["atproto_pds"].endpoint, "https://pds.example");
    }

    #[test]
    fn a_tombstone_and_nonsense_are_no_state() {
        let tombstone = json!({"type": "plc_tombstone", "prev": "bafy", "sig": "c2ln"});
        assert!(matches!(Last::read(&did(), tombstone), Err(Error::Tombstoned(_))));
        for nonsense in [json!(null), json!([1]), json!({"type": "plc_operation"}), json!({"type": "create", "n": 1})] {
            assert!(matches!(Last::read(&did(), nonsense), Err(Error::Answer { .. })));
        }
    }
}
