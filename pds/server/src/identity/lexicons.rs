//! Lexicons that others publish: DNS names the DID, the DID document the server, and the repository proves the record.
//!
//! Source: <https://atproto.com/specs/lexicon#lexicon-publication-and-resolution>.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};
use pds_identity::{Error as ResolveError, Resolver};
use pds_repo::{Cid, proof, record as codec};
use pds_store::{
    Db,
    account::{self, Status},
    record,
};
use pds_syntax::{Did, Nsid, RepoPath};
use serde_json::Value;

use crate::report::chain;

/// The collection of lexicons.
const COLLECTION: &str = "com.atproto.lexicon.schema";
/// How long a lexicon is used, and how long a failure is.
const FRESH: Duration = Duration::from_secs(60 * 60);
const FAILED: Duration = Duration::from_secs(60);
/// Memory of all lexicons together, and what one takes beside its bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
const ENTRY_BYTES: usize = 512;

/// A lexicon that its domain publishes.
#[derive(Debug)]
pub struct Published {
    /// The record's URI.
    pub uri: String,
    /// The record's CID.
    pub cid: Cid,
    /// The document.
    pub schema: Value,
    bytes: usize,
}

/// Why there is no lexicon.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The domain, the DID or the repository has none.
    #[error("{0}")]
    NotFound(String),
    /// A server did not answer.
    #[error("{0}")]
    Unreachable(String),
}

type Found = Result<Arc<Published>, Error>;

/// Lexicons of others, kept for an hour. Cheap to clone.
#[derive(Clone)]
pub struct Lexicons {
    db: Db,
    resolver: Resolver,
    known: Cache<Nsid, Found>,
}

impl Lexicons {
    /// With nothing known yet. Accounts in `db` are read there.
    pub fn new(db: Db, resolver: Resolver) -> Self {
        let known = Cache::builder().max_capacity(CACHE_BYTES).weigher(weight).expire_after(Ages).build();
        Self { db, resolver, known }
    }

    /// The lexicon with this NSID. However many ask at once, it is looked up once.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn resolve(&self, nsid: &Nsid) -> Found {
        let lookup = async { self.look_up(nsid).await.map(Arc::new) };
        self.known.get_with(nsid.clone(), lookup).await
    }

    async fn look_up(&self, nsid: &Nsid) -> Result<Published, Error> {
        let did = self.resolver.publisher(nsid).await.map_err(refuse)?;
        let path: RepoPath = format!("{COLLECTION}/{nsid}").parse().map_err(|_| not_found("is no record key", nsid))?;
        let found = match self.own(&did, &path).await? {
            Some(found) => found,
            None => self.foreign(&did, &path).await?,
        };
        let (cid, body) = found.ok_or_else(|| Error::NotFound(format!("{did} does not publish {nsid}")))?;
        let mut json = Vec::new();
        codec::write_json(&body, &mut json).map_err(|error| not_found(&chain(&error), nsid))?;
        let schema: Value = serde_json::from_slice(&json).map_err(|error| not_found(&error.to_string(), nsid))?;
        if schema["$type"] != COLLECTION || schema["lexicon"] != 1 || schema["id"] != nsid.as_str() {
            return Err(not_found("the record is no lexicon of this name", nsid));
        }
        Ok(Published { uri: format!("at://{did}/{path}"), cid, schema, bytes: json.len() })
    }

    /// The record of an account of this host; `None` if the DID is somewhere else.
    async fn own(&self, did: &Did, path: &RepoPath) -> Result<Option<Option<(Cid, bytes::Bytes)>>, Error> {
        let failed = |error: pds_store::Error| {
            tracing::warn!(error = chain(&error), "a lexicon of an account of this host could not be read");
            Error::Unreachable("the database is not available".to_owned())
        };
        let account = account::by_did(&self.db, did).await.map_err(failed)?;
        let Some(account) = account.filter(|account| account.status() == Status::Active) else { return Ok(None) };
        let found = record::visible(&self.db, account.id, path).await.map_err(failed)?;
        Ok(Some(found.map(|found| (found.cid, found.body))))
    }

    /// The record in a repository on another host, proven by the repository's key.
    async fn foreign(&self, did: &Did, path: &RepoPath) -> Result<Option<(Cid, bytes::Bytes)>, Error> {
        let document = self.resolver.did(did).await.map_err(refuse)?;
        let missing = |what: &str| Error::NotFound(format!("the document of {did} has no {what}"));
        let endpoint = document.pds_endpoint().ok_or_else(|| missing("server"))?.trim_end_matches('/').to_owned();
        let key = document.key("atproto").ok_or_else(|| missing("key"))?;
        let (collection, rkey) = (path.collection(), path.rkey());
        let url = format!("{endpoint}/xrpc/com.atproto.sync.getRecord?did={did}&collection={collection}&rkey={rkey}");
        let Some(file) = self.resolver.read(&url).await.map_err(refuse)? else { return Ok(None) };
        proof::record(&file, did, &key, path.as_str())
            .map_err(|error| Error::NotFound(format!("the answer of {endpoint} proves nothing: {}", chain(&error))))
    }
}

fn not_found(reason: &str, nsid: &Nsid) -> Error {
    Error::NotFound(format!("{nsid}: {reason}"))
}

fn refuse(error: ResolveError) -> Error {
    match error {
        ResolveError::Unreachable { .. } => Error::Unreachable(error.to_string()),
        error => Error::NotFound(error.to_string()),
    }
}

fn weight(_: &Nsid, found: &Found) -> u32 {
    let bytes = found.as_ref().map_or(0, |published| published.bytes);
    // A parsed document takes several times its bytes.
    u32::try_from(bytes * 4 + ENTRY_BYTES).unwrap_or(u32::MAX)
}

/// How long entries stay.
struct Ages;

impl Expiry<Nsid, Found> for Ages {
    fn expire_after_create(&self, _: &Nsid, found: &Found, _: Instant) -> Option<Duration> {
        Some(if found.is_ok() { FRESH } else { FAILED })
    }
}

impl fmt::Debug for Lexicons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lexicons({} known)", self.known.entry_count())
    }
}
