//! Resolves DIDs to documents and handles to DIDs, with caches.
//!
//! Owns which server is asked for which DID method, and how long results are used. Never decides whether a handle and a DID belong together:
//! the caller must check both directions.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use moka::future::Cache;
use pds_syntax::{Did, Handle, Nsid};

use crate::{
    DidDocument, Error, Guard,
    cached::{Ages, Cached},
    handle::HandleLookup,
    plc::Directory,
};

/// How long a failure is cached.
const FAILED: Duration = Duration::from_secs(60);
/// Minimum time between two lookups of a document that does not have what was expected: the handle, or the key of a signature.
const AGAIN: Duration = Duration::from_secs(2);
/// Size of one unit of [`Options::entries`].
const ENTRY_BYTES: usize = 4096;

/// Options of a [`Resolver`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Age after which a result is refreshed in the background.
    pub fresh: Duration,
    /// Age after which a result is no longer used.
    pub stale: Duration,
    /// Maximum number of entries in each cache. A document that takes more than 4 KiB of memory counts as several.
    pub entries: u64,
    /// DNS servers that are queried if no other server has a DID for a handle.
    pub backup_nameservers: Vec<SocketAddr>,
}

/// Resolves DIDs and handles. Clones share the caches.
///
/// At most one lookup per key runs at a time, however many callers wait for it. A result that is older than [`Options::fresh`] is still
/// returned while a task refreshes it, and while refreshing fails, up to [`Options::stale`].
#[derive(Clone)]
pub struct Resolver {
    servers: Arc<Servers>,
    documents: Cached<Did, Arc<DidDocument>>,
    handles: Cached<Handle, Did>,
    /// Documents that were refreshed because they did not name a handle.
    renamed: Cache<(Did, Handle), ()>,
    /// Documents that were refreshed because a signature did not verify.
    doubted: Cache<Did, ()>,
}

/// The servers that have the data.
struct Servers {
    guard: Guard,
    plc: Arc<dyn Directory>,
    handles: HandleLookup,
}

impl Resolver {
    /// A resolver with empty caches that queries the DNS servers of the system. If the configuration of the system cannot be read, handles are
    /// resolved with HTTPS only.
    pub fn new(guard: Guard, plc: Arc<dyn Directory>, options: Options) -> Self {
        Self::with_nameservers(guard, plc, options, &[])
    }

    /// As [`Resolver::new`], but queries `nameservers` for handles, unless the list is empty.
    pub fn with_nameservers(
        guard: Guard,
        plc: Arc<dyn Directory>,
        options: Options,
        nameservers: &[SocketAddr],
    ) -> Self {
        let ages = Ages { fresh: options.fresh, stale: options.stale, failed: FAILED };
        let handles = HandleLookup::new(guard.clone(), nameservers, &options.backup_nameservers);
        Self {
            servers: Arc::new(Servers { guard, plc, handles }),
            documents: Cached::new(options.entries, ages, |document| entries(document)),
            handles: Cached::new(options.entries, ages, |_| 1),
            renamed: Cache::builder().max_capacity(options.entries).time_to_live(AGAIN).build(),
            doubted: Cache::builder().max_capacity(options.entries).time_to_live(AGAIN).build(),
        }
    }

    /// The document of a did:plc or did:web. Its id is always `did`.
    pub async fn did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        self.documents.get(did, self.servers.clone().document(did.clone())).await
    }

    /// The document in the cache, or why the last lookup failed, and whether that is fresh. Looks nothing up.
    pub async fn known_did(&self, did: &Did) -> Option<(Result<Arc<DidDocument>, Error>, bool)> {
        self.documents.known(did).await
    }

    /// The current document. Bypasses the cache and updates it.
    pub async fn refresh_did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        self.documents.refresh(did, || self.servers.clone().document(did.clone())).await
    }

    /// The document after a signature did not verify with the key of the cached one: the key may have been rotated. Refreshes it at most every 2
    /// seconds, however many signatures are wrong. `None` if it was refreshed a moment ago.
    pub async fn refresh_doubted_did(&self, did: &Did) -> Result<Option<Arc<DidDocument>>, Error> {
        match self.doubted.entry_by_ref(did).or_insert_with(async {}).await.is_fresh() {
            true => self.refresh_did(did).await.map(Some),
            false => Ok(None),
        }
    }

    /// The document, which should name `handle`. A cached document that names another handle may be outdated, so it is refreshed, at most every
    /// 2 seconds.
    pub async fn did_naming(&self, did: &Did, handle: &Handle) -> Result<Arc<DidDocument>, Error> {
        let known = self.did(did).await?;
        if known.handle().as_ref() == Some(handle) {
            return Ok(known);
        }
        let first = self.renamed.entry((did.clone(), handle.clone())).or_insert_with(async {}).await.is_fresh();
        if !first {
            return Ok(known);
        }
        // If the refresh fails, the cached document is still better than an error.
        Ok(self.refresh_did(did).await.unwrap_or(known))
    }

    /// The DID of a handle, from DNS or HTTPS. May be outdated by up to [`Options::stale`].
    pub async fn handle(&self, handle: &Handle) -> Result<Did, Error> {
        self.handles.get(handle, self.servers.clone().handle(handle.clone())).await
    }

    /// The DID of a handle in the cache, or why the last lookup failed, and whether that is fresh. Looks nothing up.
    pub async fn known_handle(&self, handle: &Handle) -> Option<(Result<Did, Error>, bool)> {
        self.handles.known(handle).await
    }

    /// The current DID of a handle. Bypasses the cache and updates it. Required before an account gets the handle.
    pub async fn refresh_handle(&self, handle: &Handle) -> Result<Did, Error> {
        self.handles.refresh(handle, || self.servers.clone().handle(handle.clone())).await
    }
}

impl Resolver {
    /// The DID that publishes the lexicon with this NSID, from DNS. Not cached: the caller caches the lexicon.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the domain names none.
    pub async fn publisher(&self, nsid: &Nsid) -> Result<Did, Error> {
        self.servers.handles.publisher(&nsid.authority()).await
    }

    /// Reads at most 512 KiB from a URL that somebody else chose. `None` if the status is not 200.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Answer`].
    pub async fn read(&self, url: &str) -> Result<Option<Vec<u8>>, Error> {
        self.servers.guard.bytes(url).await
    }
}

impl Servers {
    async fn document(self: Arc<Self>, did: Did) -> Result<Arc<DidDocument>, Error> {
        let document = match did.method() {
            "plc" => self.plc.document(&did).await?,
            "web" => self.web(&did).await?,
            _ => return Err(Error::NotFound(did.to_string())),
        };
        if document.id != did {
            let reason = format!("the document belongs to {}", document.id);
            return Err(Error::Answer { name: did.to_string(), reason });
        }
        Ok(Arc::new(document))
    }

    async fn web(&self, did: &Did) -> Result<DidDocument, Error> {
        let not_found = || Error::NotFound(did.to_string());
        // A colon would begin a path, which the protocol does not allow in a did:web. The colon of a port is written %3A.
        if did.method_specific().contains(':') {
            return Err(not_found());
        }
        let host = did.method_specific().replace("%3A", ":").replace("%3a", ":");
        let url = format!("https://{host}/.well-known/did.json");
        let text = self.guard.text(&url).await?.ok_or_else(not_found)?;
        DidDocument::read(text.as_bytes()).map_err(|reason| Error::Answer { name: url, reason })
    }

    async fn handle(self: Arc<Self>, handle: Handle) -> Result<Did, Error> {
        self.handles.ask(&handle).await
    }
}

fn entries(document: &DidDocument) -> u32 {
    u32::try_from(1 + document.memory_bytes() / ENTRY_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
