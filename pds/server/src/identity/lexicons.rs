//! Lexicons that others publish: DNS names the DID, the DID document the server, and the repository proves the record.
//!
//! Owns how long they are used. What was found is in the database, for all replicas and for the time in which its publisher cannot be reached. Never interprets their definitions, which `schemas` does,
//! and keeps them as text: as values they take up to a hundred times as much.
//!
//! Source: <https://atproto.com/specs/lexicon#lexicon-publication-and-resolution>.

use std::{fmt, sync::Arc, time::Duration};

use pds_identity::{Ages, Cached, Error, Resolver};
use pds_lexicon::limit;
use pds_repo::{
    Cid, proof,
    record::{self as codec, Shape},
};
use pds_store::{
    Db,
    account::{self, Status},
    lexicon, record,
};
use pds_syntax::{Did, Nsid, RepoPath};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{clock::Clock, metrics::Metrics, rate_limit::Shares, report::chain};

/// The collection of lexicons.
const COLLECTION: &str = "com.atproto.lexicon.schema";
/// How long a lexicon is used before it is looked up again, how long it is used while that fails, and how long a failure is used.
pub(super) const AGES: Ages = Ages {
    fresh: Duration::from_secs(5 * 60),
    stale: Duration::from_secs(24 * 60 * 60),
    failed: Duration::from_secs(60),
};
/// Units of the cache, and bytes of one. A failure takes one.
const CACHE_UNITS: u64 = 8 * 1024;
const UNIT_BYTES: usize = 1024;
/// Maximum memory of a document while it is unpacked. One of [`limit::BYTES`] that people write takes about half of it.
const MAX_UNPACKED: usize = 8 << 20;
/// Lookups under way that clients of `resolveLexicon` have asked for, and those of one address.
const LOOKUPS: usize = 32;
const LOOKUPS_OF_ONE: usize = 4;

/// A lexicon that its domain publishes.
#[derive(Clone, Debug)]
pub struct Published {
    /// The record's URI.
    pub uri: String,
    /// The record's CID.
    pub cid: Cid,
    /// The document, light enough to be unpacked.
    pub schema: Box<RawValue>,
}

/// What every lexicon says about itself.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "$type")]
    kind: String,
    lexicon: i64,
    id: String,
}

impl Published {
    /// Fails with the reason if the document is no JSON, or larger than allowed.
    fn new(uri: String, cid: Cid, document: String) -> Result<Self, String> {
        check_size(document.len(), Shape::of_json(document.as_bytes()))?;
        let schema = RawValue::from_string(document).map_err(|error| error.to_string())?;
        Ok(Self { uri, cid, schema })
    }

    /// `None` if what was kept cannot be used.
    fn read(stored: lexicon::Lexicon) -> Option<Self> {
        Self::new(stored.uri, stored.cid, stored.document).ok()
    }

    /// Whether the document says that it is the lexicon with this NSID.
    fn is_of(&self, nsid: &Nsid) -> bool {
        let head: Option<Head> = serde_json::from_str(self.schema.get()).ok();
        head.is_some_and(|head| head.kind == COLLECTION && head.lexicon == 1 && head.id == nsid.as_str())
    }
}

/// Refuses documents that are too long or have too many values, with the reason.
fn check_size(bytes: usize, shape: Shape) -> Result<(), String> {
    if bytes > limit::BYTES {
        return Err(format!("the document has {bytes} bytes: at most {} are allowed", limit::BYTES));
    }
    match shape.json_bytes() {
        0..=MAX_UNPACKED => Ok(()),
        needed => Err(format!(
            "the document has {shape}, which take {} MiB: at most {} are allowed",
            needed >> 20,
            MAX_UNPACKED >> 20
        )),
    }
}

/// Forgets the lexicons in the database that are no longer used. `now` is in microseconds.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_unused(db: &Db, now: i64) -> Result<u64, pds_store::Error> {
    let oldest = now - i64::try_from(AGES.stale.as_micros()).unwrap_or(i64::MAX);
    lexicon::forget_before(db, oldest).await
}

type Found = Result<Arc<Published>, Error>;

/// Lexicons of others, kept for a while. Cheap to clone.
#[derive(Clone)]
pub struct Lexicons {
    source: Arc<Source>,
    known: Cached<Nsid, Arc<Published>>,
    shares: Shares,
}

/// Where lexicons come from.
struct Source {
    db: Db,
    resolver: Resolver,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Lexicons {
    /// With nothing known yet. Accounts in `db` are read there.
    pub fn new(db: Db, resolver: Resolver, metrics: Metrics, clock: Arc<dyn Clock>) -> Self {
        let units = |published: &Arc<Published>| {
            u32::try_from(1 + published.schema.get().len() / UNIT_BYTES).unwrap_or(u32::MAX)
        };
        Self {
            source: Arc::new(Source { db, resolver, metrics, clock }),
            known: Cached::new(CACHE_UNITS, AGES, units),
            shares: Shares::new(LOOKUPS, LOOKUPS_OF_ONE),
        }
    }

    /// What is known about the lexicon with this NSID, and whether that is fresh. Looks nothing up.
    pub async fn known(&self, nsid: &Nsid) -> Option<(Found, bool)> {
        self.known.known(nsid).await
    }

    /// The lexicon with this NSID, for a client at this address. However many ask at once, it is looked up once.
    ///
    /// # Errors
    /// Why there is none. [`Error::Unreachable`] also if the client has too many lookups under way.
    pub async fn resolve(&self, nsid: &Nsid, address: &str) -> Found {
        let known = self.known(nsid).await;
        if let Some((found, true)) = known {
            return found;
        }
        let Some(share) = self.shares.take(address) else {
            let busy =
                Error::Unreachable { name: nsid.to_string(), reason: "too many lookups are under way".to_owned() };
            return known.map_or(Err(busy), |(found, _)| found);
        };
        let lookup = self.source.clone().find(nsid.clone());
        let question = async move {
            let _share = share;
            lookup.await
        };
        self.known.get(nsid, question).await
    }

    /// The lexicon with this NSID, for a caller that limits its lookups itself.
    pub(super) async fn document(&self, nsid: &Nsid) -> Found {
        self.known.get(nsid, self.source.clone().find(nsid.clone())).await
    }
}

impl Source {
    async fn find(self: Arc<Self>, nsid: Nsid) -> Found {
        let (stored, now) = (self.stored(&nsid).await, self.clock.now_us());
        let age = |stored: &lexicon::Lexicon| {
            Duration::from_micros(now.saturating_sub(stored.checked_at).max(0).unsigned_abs())
        };
        let is_stored = stored.is_some();
        let (fresh, stored) = match stored {
            Some(stored) if age(&stored) < AGES.fresh => (Published::read(stored), None),
            stored => (None, stored),
        };
        if let Some(published) = fresh {
            return Ok(Arc::new(published));
        }
        let found = self.look_up(&nsid).await;
        self.metrics.lexicon_looked_up(match &found {
            Ok(_) => "found",
            Err(Error::NotFound(_)) => "not_found",
            Err(Error::Unreachable { .. }) => "unreachable",
            Err(_) => "invalid",
        });
        match &found {
            Ok(published) => self.keep(&nsid, published, now).await,
            Err(error) if error.is_final() => self.forget(&nsid, is_stored).await,
            Err(error) => {
                if let Some(known) = stored.filter(|stored| age(stored) < AGES.stale)
                    && let Some(published) = Published::read(known)
                {
                    tracing::debug!("the lexicon {nsid} is used as it was last found: {error}");
                    return Ok(Arc::new(published));
                }
            }
        }
        found.map(Arc::new)
    }

    /// What a replica found before. Without the database it is looked up.
    async fn stored(&self, nsid: &Nsid) -> Option<lexicon::Lexicon> {
        lexicon::get(&self.db, nsid.as_str()).await.unwrap_or_else(|error| {
            tracing::warn!(error = chain(&error), "the lexicon {nsid} could not be read from the database");
            None
        })
    }

    async fn keep(&self, nsid: &Nsid, published: &Published, now: i64) {
        let Published { uri, cid, schema } = published;
        let document = schema.get().to_owned();
        let found = lexicon::Lexicon { uri: uri.clone(), cid: *cid, document, checked_at: now };
        if let Err(error) = lexicon::put(&self.db, nsid.as_str(), &found).await {
            tracing::warn!(error = chain(&error), "the lexicon {nsid} could not be kept in the database");
        }
    }

    /// The publisher has it no longer.
    async fn forget(&self, nsid: &Nsid, is_stored: bool) {
        if is_stored && let Err(error) = lexicon::forget(&self.db, nsid.as_str()).await {
            tracing::warn!(error = chain(&error), "the lexicon {nsid} could not be removed from the database");
        }
    }

    async fn look_up(&self, nsid: &Nsid) -> Result<Published, Error> {
        let did = self.resolver.publisher(nsid).await?;
        let invalid = |reason: String| Error::Answer { name: format!("at://{did}/{COLLECTION}/{nsid}"), reason };
        let path = format!("{COLLECTION}/{nsid}").parse::<RepoPath>();
        let path = path.map_err(|_| invalid("the name is no record key".to_owned()))?;
        let found = match self.own(&did, &path).await? {
            Some(found) => found,
            None => self.foreign(&did, &path).await?,
        };
        let (cid, body) = found.ok_or_else(|| Error::NotFound(format!("at://{did}/{path}")))?;
        let shape = Shape::of_cbor(&body).map_err(|error| invalid(error.to_string()))?;
        check_size(body.len(), shape).map_err(invalid)?;
        let mut json = Vec::new();
        codec::write_json(&body, &mut json).map_err(|error| invalid(chain(&error)))?;
        let json = String::from_utf8(json).map_err(|error| invalid(error.to_string()))?;
        let published = Published::new(format!("at://{did}/{path}"), cid, json).map_err(invalid)?;
        match published.is_of(nsid) {
            true => Ok(published),
            false => Err(invalid("the record is no lexicon of this name".to_owned())),
        }
    }

    /// The record of an account of this host; `None` if the DID is somewhere else.
    async fn own(&self, did: &Did, path: &RepoPath) -> Result<Option<Option<(Cid, bytes::Bytes)>>, Error> {
        let failed = |error: pds_store::Error| {
            tracing::warn!(error = chain(&error), "a lexicon of an account of this host could not be read");
            Error::Unreachable { name: did.to_string(), reason: "the database is not available".to_owned() }
        };
        let account = account::by_did(&self.db, did).await.map_err(failed)?;
        let now = self.clock.now_us();
        let Some(account) = account.filter(|account| account.status_at(now) == Status::Active) else { return Ok(None) };
        let found = record::visible(&self.db, account.id, path).await.map_err(failed)?;
        Ok(Some(found.map(|found| (found.cid, found.body))))
    }

    /// The record in a repository on another host, proven by the repository's key.
    async fn foreign(&self, did: &Did, path: &RepoPath) -> Result<Option<(Cid, bytes::Bytes)>, Error> {
        let document = self.resolver.did(did).await?;
        let missing =
            |what: &str| Error::Answer { name: did.to_string(), reason: format!("its document has no {what}") };
        let endpoint = document.pds_endpoint().ok_or_else(|| missing("server"))?.trim_end_matches('/').to_owned();
        let key = document.key("atproto").ok_or_else(|| missing("key"))?;
        let (collection, rkey) = (path.collection(), path.rkey());
        let url = format!("{endpoint}/xrpc/com.atproto.sync.getRecord?did={did}&collection={collection}&rkey={rkey}");
        let Some(file) = self.resolver.read(&url).await? else { return Ok(None) };
        proof::record(&file, did, &key, path.as_str())
            .map_err(|error| Error::Answer { name: endpoint, reason: format!("it proves nothing: {}", chain(&error)) })
    }
}

impl fmt::Debug for Lexicons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lexicons({:?}, {:?})", self.known, self.shares)
    }
}
