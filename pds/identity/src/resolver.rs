//! DIDs to documents and handles to DIDs, cached.
//!
//! One lookup per key at a time; answers are fresh for a while, then still served while one task asks again; failures are remembered briefly.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::RData,
};
use moka::future::Cache;
use pds_syntax::{Did, Handle};
use tokio::time::Instant;

use crate::{DidDocument, Error, Guard, plc::Directory};

/// How long a failure is remembered.
const NEGATIVE: Duration = Duration::from_secs(60);

/// Times and servers.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an answer is fresh.
    pub fresh: Duration,
    /// How long it may be served while a new one is fetched.
    pub stale: Duration,
    /// Entries of each cache.
    pub entries: u64,
    /// Asked when the system's servers have no answer for a handle.
    pub backup_nameservers: Vec<SocketAddr>,
}

#[derive(Clone)]
struct Answer<T> {
    value: Result<T, Error>,
    at: Instant,
}

/// Resolves, and remembers. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    guard: Guard,
    plc: Arc<dyn Directory>,
    options: Options,
    dns: Option<TokioResolver>,
    backup: Option<TokioResolver>,
    documents: Cache<Did, Answer<Arc<DidDocument>>>,
    handles: Cache<Handle, Answer<Did>>,
}

impl Resolver {
    /// A resolver with empty caches. Without a readable system configuration there is no DNS, and handles resolve by HTTPS alone.
    pub fn new(guard: Guard, plc: Arc<dyn Directory>, options: Options) -> Self {
        let dns = TokioResolver::builder_tokio().ok().and_then(|builder| builder.build().ok());
        let backup = (!options.backup_nameservers.is_empty()).then(|| {
            let servers =
                options.backup_nameservers.iter().map(|server| NameServerConfig::udp_and_tcp(server.ip())).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().ok()
        });
        Self {
            documents: Cache::builder().max_capacity(options.entries).time_to_live(options.stale).build(),
            handles: Cache::builder().max_capacity(options.entries).time_to_live(options.stale).build(),
            backup: backup.flatten(),
            dns,
            guard,
            plc,
            options,
        }
    }

    /// The document of a did:plc or did:web.
    pub async fn did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        let entry = self.documents.entry_by_ref(did).or_insert_with(self.fetch_did(did)).await;
        let fresh = entry.is_fresh();
        let answer = entry.into_value();
        if !fresh && answer.is_older_than(self.options.fresh) {
            if answer.value.is_err() {
                return self.refresh_did(did).await;
            }
            let (this, did) = (self.clone(), did.clone());
            tokio::spawn(async move { this.refresh_did(&did).await });
        }
        answer.value
    }

    /// The document as it is now, past the cache.
    pub async fn refresh_did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        let answer = self.fetch_did(did).await;
        // A document that is known stays in use while the directory is away.
        if answer.value.is_ok() || !self.documents.get(did).await.is_some_and(|known| known.value.is_ok()) {
            self.documents.insert(did.clone(), answer.clone()).await;
        }
        answer.value
    }

    /// The DID that a handle names, by DNS or HTTPS.
    pub async fn handle(&self, handle: &Handle) -> Result<Did, Error> {
        let entry = self.handles.entry_by_ref(handle).or_insert_with(self.fetch_handle(handle)).await;
        let fresh = entry.is_fresh();
        let answer = entry.into_value();
        if !fresh && answer.is_older_than(self.options.fresh) {
            let answer = self.fetch_handle(handle).await;
            self.handles.insert(handle.clone(), answer.clone()).await;
            return answer.value;
        }
        answer.value
    }

    async fn fetch_did(&self, did: &Did) -> Answer<Arc<DidDocument>> {
        let value = match did.method() {
            "plc" => self.plc.document(did).await,
            "web" => self.fetch_web(did).await,
            _ => Err(Error::NotFound(did.to_string())),
        };
        let value = value.and_then(|document| match document.id == *did {
            true => Ok(Arc::new(document)),
            false => {
                Err(Error::Answer { name: did.to_string(), reason: format!("the document is that of {}", document.id) })
            }
        });
        Answer { value, at: Instant::now() }
    }

    async fn fetch_web(&self, did: &Did) -> Result<DidDocument, Error> {
        let host = did.method_specific().replace("%3A", ":");
        // The protocol knows no paths in did:web.
        if host.contains('/') || did.method_specific().contains(':') {
            return Err(Error::NotFound(did.to_string()));
        }
        let url = format!("https://{host}/.well-known/did.json");
        let text = self.guard.text(&url).await?.ok_or_else(|| Error::NotFound(did.to_string()))?;
        serde_json::from_str(&text).map_err(|error| Error::Answer { name: url, reason: error.to_string() })
    }

    async fn fetch_handle(&self, handle: &Handle) -> Answer<Did> {
        // Both are asked at once; DNS wins where both answer.
        let (dns, https) = tokio::join!(self.txt(self.dns.as_ref(), handle), self.well_known(handle));
        let found = match dns.or(https) {
            Some(did) => Some(did),
            None => self.txt(self.backup.as_ref(), handle).await,
        };
        Answer { value: found.ok_or_else(|| Error::NotFound(handle.to_string())), at: Instant::now() }
    }

    async fn txt(&self, resolver: Option<&TokioResolver>, handle: &Handle) -> Option<Did> {
        let lookup = resolver?.txt_lookup(format!("_atproto.{handle}.")).await.ok()?;
        let texts = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => String::from_utf8(txt.txt_data.concat()).ok(),
            _ => None,
        });
        let mut dids = texts.filter_map(|text| text.strip_prefix("did=")?.parse().ok());
        // More than one answer is no answer. Source: <https://atproto.com/specs/handle#dns-txt-method>.
        match (dids.next(), dids.next()) {
            (Some(did), None) => Some(did),
            _ => None,
        }
    }

    async fn well_known(&self, handle: &Handle) -> Option<Did> {
        let text = self.guard.text(&format!("https://{handle}/.well-known/atproto-did")).await.ok()??;
        text.lines().next()?.trim().parse().ok()
    }
}

impl<T> Answer<T> {
    fn is_older_than(&self, fresh: Duration) -> bool {
        self.at.elapsed() > if self.value.is_ok() { fresh } else { NEGATIVE.min(fresh) }
    }
}
