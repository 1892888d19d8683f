//! DIDs to documents and handles to DIDs, cached.
//!
//! Owns who is asked for which DID method and how long answers live. Never decides whether a handle and a DID belong
//! together: that takes both directions, and is the caller's.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use moka::future::Cache;
use pds_syntax::{Did, Handle};

use crate::{
    DidDocument, Error, Guard,
    cached::{Ages, Cached},
    handle::HandleLookup,
    plc::Directory,
};

/// How long a failure is remembered.
const FAILED: Duration = Duration::from_secs(60);
/// How often a document that does not name the expected handle is asked for.
const RENAMED: Duration = Duration::from_secs(2);
/// What one of [`Options::entries`] stands for.
const ENTRY_BYTES: usize = 4096;

/// Times and servers.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an answer is fresh.
    pub fresh: Duration,
    /// How long it may be served while a new one is fetched.
    pub stale: Duration,
    /// Entries of each cache; a document above 4 KiB counts as several.
    pub entries: u64,
    /// Asked when nobody else names a DID for a handle.
    pub backup_nameservers: Vec<SocketAddr>,
}

/// Resolves, and remembers. Cheap to clone.
///
/// Each key has at most one question under way, however many callers wait, and one question per fresh time. An answer
/// past its fresh time is still served while a task asks again, and while asking fails, up to the stale time.
#[derive(Clone)]
pub struct Resolver {
    far: Arc<FarEnd>,
    documents: Cached<Did, Arc<DidDocument>>,
    handles: Cached<Handle, Did>,
    /// Documents that were asked for because they did not name a handle.
    renamed: Cache<(Did, Handle), ()>,
}

/// Those who know.
struct FarEnd {
    guard: Guard,
    plc: Arc<dyn Directory>,
    handles: HandleLookup,
}

impl Resolver {
    /// A resolver with empty caches that asks the system's name servers. Without a readable system configuration there
    /// is no DNS, and handles resolve by HTTPS alone.
    pub fn new(guard: Guard, plc: Arc<dyn Directory>, options: Options) -> Self {
        Self::with_nameservers(guard, plc, options, &[])
    }

    /// A resolver that asks `nameservers` for handles instead of the system's, unless there are none.
    pub fn with_nameservers(
        guard: Guard,
        plc: Arc<dyn Directory>,
        options: Options,
        nameservers: &[SocketAddr],
    ) -> Self {
        let ages = Ages { fresh: options.fresh, stale: options.stale, failed: FAILED };
        let handles = HandleLookup::new(guard.clone(), nameservers, &options.backup_nameservers);
        Self {
            far: Arc::new(FarEnd { guard, plc, handles }),
            documents: Cached::new(options.entries, ages, |document| entries(document)),
            handles: Cached::new(options.entries, ages, |_| 1),
            renamed: Cache::builder().max_capacity(options.entries).time_to_live(RENAMED).build(),
        }
    }

    /// The document of a did:plc or did:web; it is the document of `did`, which has been checked.
    pub async fn did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        self.documents.get(did, self.far.clone().document(did.clone())).await
    }

    /// The document as it is now, past the cache, which learns it.
    pub async fn refresh_did(&self, did: &Did) -> Result<Arc<DidDocument>, Error> {
        self.documents.refresh(did, || self.far.clone().document(did.clone())).await
    }

    /// The document, which is expected to name `handle`: one in the cache that names another may be older than the handle, so it is asked
    /// for once more, at most every few seconds.
    pub async fn did_naming(&self, did: &Did, handle: &Handle) -> Result<Arc<DidDocument>, Error> {
        let known = self.did(did).await?;
        if known.handle().as_ref() == Some(handle) {
            return Ok(known);
        }
        let first = self.renamed.entry((did.clone(), handle.clone())).or_insert_with(async {}).await.is_fresh();
        if !first {
            return Ok(known);
        }
        // A directory that is away is no reason to answer worse than without asking.
        Ok(self.refresh_did(did).await.unwrap_or(known))
    }

    /// The DID that a handle names, by DNS or HTTPS; up to the stale time ago.
    pub async fn handle(&self, handle: &Handle) -> Result<Did, Error> {
        self.handles.get(handle, self.far.clone().handle(handle.clone())).await
    }

    /// The DID that a handle names now, past the cache, which learns it: for giving an account the handle.
    pub async fn refresh_handle(&self, handle: &Handle) -> Result<Did, Error> {
        self.handles.refresh(handle, || self.far.clone().handle(handle.clone())).await
    }
}

impl FarEnd {
    async fn document(self: Arc<Self>, did: Did) -> Result<Arc<DidDocument>, Error> {
        let document = match did.method() {
            "plc" => self.plc.document(&did).await?,
            "web" => self.web(&did).await?,
            _ => return Err(Error::NotFound(did.to_string())),
        };
        if document.id != did {
            let reason = format!("the document is that of {}", document.id);
            return Err(Error::Answer { name: did.to_string(), reason });
        }
        Ok(Arc::new(document))
    }

    async fn web(&self, did: &Did) -> Result<DidDocument, Error> {
        let not_found = || Error::NotFound(did.to_string());
        // A colon would begin a path, and the protocol knows no paths in did:web; the port's colon is written %3A.
        if did.method_specific().contains(':') {
            return Err(not_found());
        }
        let host = did.method_specific().replace("%3A", ":").replace("%3a", ":");
        let url = format!("https://{host}/.well-known/did.json");
        let text = self.guard.text(&url).await?.ok_or_else(not_found)?;
        serde_json::from_str(&text).map_err(|error| Error::Answer { name: url, reason: error.to_string() })
    }

    async fn handle(self: Arc<Self>, handle: Handle) -> Result<Did, Error> {
        self.handles.ask(&handle).await
    }
}

fn entries(document: &DidDocument) -> u32 {
    let bytes = serde_json::to_vec(document).map_or(0, |text| text.len());
    u32::try_from(1 + bytes / ENTRY_BYTES).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
