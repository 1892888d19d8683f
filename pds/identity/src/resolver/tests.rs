use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::{
    plc::{Last, SignedOperation},
    testing::{Web, Zone, name_server, ok},
};

const PLC: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// A directory with one document that counts requests and can fail.
struct OneDocument {
    says: Mutex<Result<DidDocument, Error>>,
    asked: AtomicU32,
}

impl OneDocument {
    fn new(id: &str) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(Ok(document(id))), asked: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Directory for OneDocument {
    async fn submit(&self, _: &Did, _: &SignedOperation) -> Result<(), Error> {
        Ok(())
    }
    async fn document(&self, _: &Did) -> Result<DidDocument, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.says.lock().unwrap().clone()
    }
    async fn last(&self, did: &Did) -> Result<Last, Error> {
        Err(Error::NotFound(did.to_string()))
    }
    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn document(id: &str) -> DidDocument {
    serde_json::from_value(json!({"id": id, "alsoKnownAs": ["at://alice.example"]})).unwrap()
}

fn did(text: &str) -> Did {
    text.parse().unwrap()
}

fn options() -> Options {
    let hour = Duration::from_secs(3600);
    Options { fresh: hour, stale: hour, entries: 100, backup_nameservers: Vec::new() }
}

async fn resolver(web: &Web, plc: Arc<OneDocument>, zone: Zone) -> Resolver {
    let nameserver = name_server(zone).await;
    Resolver::with_nameservers(web.guard(Arc::new(|_, _| true)), plc, options(), &[nameserver])
}

#[tokio::test]
async fn a_crowd_asks_the_directory_once() {
    // AL-IDN-1
    let (web, plc) = (Web::start("alice.example", &[]).await, OneDocument::new(PLC));
    let resolver = resolver(&web, plc.clone(), Zone::default()).await;
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.did(&did(PLC)).await })
        })
        .collect();
    for member in crowd {
        assert_eq!(member.await.unwrap().unwrap().id, did(PLC));
    }
    assert_eq!(plc.asked.load(Ordering::Relaxed), 1);
    // A refresh repeats the lookup. If it fails, the cached document is kept.
    *plc.says.lock().unwrap() = Err(Error::Unreachable { name: "directory".into(), reason: "away".into() });
    assert!(resolver.refresh_did(&did(PLC)).await.is_err());
    assert!(resolver.did(&did(PLC)).await.is_ok());
    assert_eq!(plc.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_document_of_somebody_else_is_refused() {
    let web = Web::start("alice.example", &[("/.well-known/did.json", ok(&json!(document(PLC)).to_string()))]).await;
    let resolver = resolver(&web, OneDocument::new("did:plc:44ybard66vv44zksje25o7dz"), Zone::default()).await;
    assert!(matches!(resolver.did(&did(PLC)).await, Err(Error::Answer { .. })));
    assert!(matches!(resolver.did(&did("did:web:alice.example")).await, Err(Error::Answer { .. })));
}

#[tokio::test]
async fn did_web_is_read_from_its_host() {
    let id = "did:web:alice.example";
    let web = Web::start("alice.example", &[("/.well-known/did.json", ok(&json!(document(id)).to_string()))]).await;
    let resolver = resolver(&web, OneDocument::new(PLC), Zone::default()).await;
    assert_eq!(*resolver.did(&did(id)).await.unwrap(), document(id));
    assert!(resolver.did(&did(id)).await.is_ok());
    assert_eq!(web.requests(), 1);
    for unknown in ["did:web:alice.example:path", "did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"] {
        assert!(matches!(resolver.did(&did(unknown)).await, Err(Error::NotFound(_))), "{unknown}");
    }
    assert!(resolver.did(&did("did:web:127.0.0.1")).await.is_err());
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn a_port_of_did_web_is_written_with_a_percent_sign() {
    let web = Web::start("alice.example", &[]).await;
    let resolver = resolver(&web, OneDocument::new(PLC), Zone::default()).await;
    let id = format!("did:web:alice.example%3A{}", web.address.port());
    assert!(matches!(resolver.did(&did(&id)).await, Err(Error::NotFound(_))));
    assert_eq!(web.requests(), 1);
}

#[tokio::test]
async fn a_handle_is_remembered_until_it_is_asked_for_anew() {
    let (web, zone) = (Web::start("alice.example", &[]).await, Zone::default());
    let resolver = resolver(&web, OneDocument::new(PLC), zone.clone()).await;
    let alice: Handle = "alice.example".parse().unwrap();
    assert!(matches!(resolver.handle(&alice).await, Err(Error::NotFound(_))));
    zone.lock().unwrap().insert("_atproto.alice.example.".into(), vec![format!("did={PLC}")]);
    assert!(resolver.handle(&alice).await.is_err());
    assert_eq!(resolver.refresh_handle(&alice).await.unwrap(), did(PLC));
    assert_eq!(resolver.handle(&alice).await.unwrap(), did(PLC));
    zone.lock().unwrap().clear();
    assert_eq!(resolver.handle(&alice).await.unwrap(), did(PLC));
    assert!(matches!(resolver.refresh_handle(&alice).await, Err(Error::NotFound(_))));
    assert!(matches!(resolver.handle(&alice).await, Err(Error::NotFound(_))));
}

#[test]
fn a_large_document_counts_as_several() {
    let mut large = document(PLC);
    assert_eq!(entries(&large), 1);
    large.also_known_as = vec!["x".repeat(3 * ENTRY_BYTES)];
    assert_eq!(entries(&large), 4);
    // 8 KiB as text, 500 KB in memory.
    large.also_known_as.clear();
    large.other.insert("x".to_owned(), json!(vec![json!([0]); 2000]));
    assert!(entries(&large) > 100, "{}", entries(&large));
}

#[tokio::test]
async fn a_document_with_too_many_values_or_bytes_is_refused() {
    let id = "did:web:alice.example";
    for (extra, reason) in [
        (json!(vec![json!([0]); 2000]), "the document has 4003 values, at most 2000 are allowed"),
        (json!("x".repeat(100_000)), "it has more than 65536 bytes"),
    ] {
        let text = json!({"id": id, "x": extra}).to_string();
        let web = Web::start("alice.example", &[("/.well-known/did.json", ok(&text))]).await;
        let resolver = resolver(&web, OneDocument::new(PLC), Zone::default()).await;
        let error = resolver.did(&did(id)).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// Failures are kept too, and a server decides what they say.
#[tokio::test]
async fn the_reason_of_a_failure_is_short() {
    let id = "did:web:alice.example";
    let text = json!({"id": id, "service": "x".repeat(60_000)}).to_string();
    let web = Web::start("alice.example", &[("/.well-known/did.json", ok(&text))]).await;
    let resolver = resolver(&web, OneDocument::new(PLC), Zone::default()).await;
    let error = resolver.did(&did(id)).await.unwrap_err().to_string();
    assert!(error.contains("invalid type: string") && error.len() < 1500, "{} bytes", error.len());
}
