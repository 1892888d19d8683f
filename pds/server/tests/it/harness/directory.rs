//! A PLC directory in memory, that can be away or slow. What a real one accepts is tested with a real one.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use pds_identity::{
    DidDocument, Error,
    plc::{self, Last, SignedOperation},
};
use pds_syntax::Did;
use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Directory {
    logs: Mutex<HashMap<Did, Vec<SignedOperation>>>,
    /// Documents of others.
    documents: Mutex<HashMap<Did, DidDocument>>,
    pub(crate) away: AtomicBool,
    /// While a test holds this, operations wait.
    pub(crate) gate: tokio::sync::Mutex<()>,
    /// Operations that have arrived.
    pub(crate) arrived: AtomicUsize,
}

impl Directory {
    fn present(&self) -> Result<(), Error> {
        if self.away.load(Ordering::Relaxed) {
            return Err(Error::Unreachable { name: "directory".into(), reason: "away".into() });
        }
        Ok(())
    }

    /// Has a document with one service.
    pub(crate) fn add_service(&self, did: &str, fragment: &str, kind: &str, url: &str) {
        let service = json!({"id": format!("#{fragment}"), "type": kind, "serviceEndpoint": url});
        let document = serde_json::from_value(json!({"id": did, "service": [service]})).unwrap();
        self.documents.lock().unwrap().insert(did.parse().unwrap(), document);
    }

    /// Says from now on that this account is at another server, and with another key if there is one.
    pub(crate) fn move_to(&self, did: &str, url: &str, key: Option<&str>) {
        let did: Did = did.parse().unwrap();
        let mut document = self.made(&did).unwrap();
        document["service"][0]["serviceEndpoint"] = json!(url);
        if let Some(key) = key {
            document["verificationMethod"][0]["publicKeyMultibase"] = json!(key.trim_start_matches("did:key:"));
        }
        self.documents.lock().unwrap().insert(did, serde_json::from_value(document).unwrap());
    }

    /// The signing key of an account that was registered here.
    pub(crate) fn key(&self, did: &str) -> String {
        self.made(&did.parse().unwrap()).unwrap()["verificationMethod"][0]["publicKeyMultibase"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The document of an account that was registered here.
    fn made(&self, did: &Did) -> Option<Value> {
        let last = self.log(did).last().map(Last::from)?.operation;
        let key = last.verification_methods["atproto"].trim_start_matches("did:key:").to_owned();
        Some(json!({
            "id": did, "alsoKnownAs": last.also_known_as,
            "verificationMethod": [{"id": format!("{did}#atproto"), "type": "Multikey", "controller": did, "publicKeyMultibase": key}],
            "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": last.services["atproto_pds"].endpoint}],
        }))
    }

    pub(crate) fn log(&self, did: &Did) -> Vec<SignedOperation> {
        self.logs.lock().unwrap().get(did).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.logs.lock().unwrap().len()
    }
}

#[async_trait]
impl plc::Directory for Directory {
    async fn submit(&self, did: &Did, operation: &SignedOperation) -> Result<(), Error> {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let _open = self.gate.lock().await;
        self.present()?;
        let mut logs = self.logs.lock().unwrap();
        let log = logs.entry(did.clone()).or_default();
        if operation.operation.prev != log.last().map(SignedOperation::cid) {
            return Err(Error::Refused { message: "prev is not the last operation".into() });
        }
        log.push(operation.clone());
        Ok(())
    }

    async fn document(&self, did: &Did) -> Result<DidDocument, Error> {
        if let Some(document) = self.documents.lock().unwrap().get(did) {
            return Ok(document.clone());
        }
        self.present()?;
        let document = self.made(did).ok_or_else(|| Error::NotFound(did.to_string()))?;
        Ok(serde_json::from_value(document).unwrap())
    }

    async fn last(&self, did: &Did) -> Result<Last, Error> {
        self.present()?;
        self.log(did).last().map(Last::from).ok_or_else(|| Error::NotFound(did.to_string()))
    }

    async fn health(&self) -> Result<(), Error> {
        self.present()
    }
}
