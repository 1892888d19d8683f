//! Schemas of collections that are not built in, made from the lexicons that others publish.
//!
//! Owns how many are looked up at once and by whom. Never waits unless a caller does: what is known is answered at once.
//!
//! Documents of strangers are hostile input. `pds_lexicon` bounds what is in them, this module how long they are looked for and how many are
//! kept. An account that invents names has a share of the lookups, and its failures take little room in the cache.

use std::{
    collections::HashSet,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use pds_identity::{Cached, Error};
use pds_lexicon::{Catalog, Document, Draft, LoadError};
use pds_syntax::Nsid;

use super::lexicons::{AGES, Lexicons};
use crate::{
    rate_limit::{Share, Shares},
    report::chain,
};

/// Lookups under way, of all accounts and of one.
const LOOKUPS: usize = 64;
const LOOKUPS_OF_ONE: usize = 4;
/// Maximum time for a schema, which may need several documents.
const TIME: Duration = Duration::from_secs(20);
/// Documents of one schema that are looked up at the same time.
const AT_ONCE: usize = 4;
/// Units of the cache, and bytes of one. A failure takes one.
const CACHE_UNITS: u64 = 16 * 1024;
const UNIT_BYTES: usize = 1024;
/// A schema takes several times the bytes of its documents.
const PARSED: usize = 10;

/// Schemas of others. Cheap to clone.
#[derive(Clone)]
pub struct Schemas {
    lexicons: Lexicons,
    known: Cached<Nsid, Arc<Catalog>>,
    shares: Shares,
    /// Collections that are looked up although nobody waits.
    unwaited: Arc<Mutex<HashSet<Nsid>>>,
}

/// The permission to look up one schema, until it is dropped.
#[derive(Debug)]
pub struct Lookup {
    _share: Share,
    unwaited: Option<Unwaited>,
}

impl Schemas {
    /// With nothing known yet.
    pub fn new(lexicons: Lexicons) -> Self {
        let units =
            |catalog: &Arc<Catalog>| u32::try_from(1 + catalog.bytes() * PARSED / UNIT_BYTES).unwrap_or(u32::MAX);
        Self {
            lexicons,
            known: Cached::new(CACHE_UNITS, AGES, units),
            shares: Shares::new(LOOKUPS, LOOKUPS_OF_ONE),
            unwaited: Arc::default(),
        }
    }

    /// What is known about the schema of this collection, and whether that is fresh. Waits for nothing.
    pub async fn known(&self, collection: &Nsid) -> Option<(Result<Arc<Catalog>, Error>, bool)> {
        self.known.known(collection).await
    }

    /// The permission to look up a schema for which somebody waits. `None` if this account has as many lookups under way as it may have, or if all
    /// accounts together do.
    pub fn begin(&self, account: &str) -> Option<Lookup> {
        self.shares.take(account).map(|share| Lookup { _share: share, unwaited: None })
    }

    /// The permission to look up this schema although nobody waits for it. `None` also if it is being looked up in this way.
    pub fn begin_unwaited(&self, account: &str, collection: &Nsid) -> Option<Lookup> {
        if self.unwaited().contains(collection) {
            return None;
        }
        let mut lookup = self.begin(account)?;
        self.unwaited().insert(collection.clone());
        lookup.unwaited = Some(Unwaited { collection: collection.clone(), home: self.clone() });
        Some(lookup)
    }

    /// The schema of this collection. However many wait for it, it is looked up once. The lookup goes on if the caller gives up.
    ///
    /// # Errors
    /// Why there is none, or none that can be used.
    pub async fn resolve(&self, collection: &Nsid, lookup: Lookup) -> Result<Arc<Catalog>, Error> {
        let (lexicons, name) = (self.lexicons.clone(), collection.clone());
        let question = async move {
            let _lookup = lookup;
            let late = |_| unreachable(&name, format!("its lexicons were not found within {} s", TIME.as_secs()));
            tokio::time::timeout(TIME, assemble(&lexicons, &name)).await.map_err(late)?
        };
        self.known.get(collection, question).await
    }

    fn unwaited(&self) -> MutexGuard<'_, HashSet<Nsid>> {
        self.unwaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks up the collection's lexicon, and those that it refers to.
async fn assemble(lexicons: &Lexicons, collection: &Nsid) -> Result<Arc<Catalog>, Error> {
    let unusable = |error: LoadError| Error::Answer { name: collection.to_string(), reason: chain(&error) };
    let mut draft = Draft::new(collection.clone());
    loop {
        let missing = draft.missing().map_err(unusable)?;
        if missing.is_empty() {
            return draft.finish().map(Arc::new).map_err(unusable);
        }
        let found = stream::iter(missing).map(|nsid| async move {
            let found = lexicons.document(&nsid).await.map_err(|error| of_reference(collection, &nsid, error))?;
            Document::published(&nsid, found.schema.get()).map_err(unusable)
        });
        // The first that cannot be used ends the lookup of the others, and what is beside a document's definitions is kept of none.
        let mut found = pin!(found.buffered(AT_ONCE));
        while let Some(document) = found.try_next().await? {
            draft.add(document).map_err(unusable)?;
        }
    }
}

/// That a lexicon which another one refers to is gone for good does not say so of the other one.
fn of_reference(collection: &Nsid, nsid: &Nsid, error: Error) -> Error {
    match error {
        error if collection == nsid => error,
        error @ Error::Unreachable { .. } => error,
        error => Error::Answer { name: collection.to_string(), reason: format!("it refers to {nsid}: {error}") },
    }
}

fn unreachable(collection: &Nsid, reason: String) -> Error {
    Error::Unreachable { name: collection.to_string(), reason }
}

/// Marks a collection as looked up until this is dropped.
struct Unwaited {
    collection: Nsid,
    home: Schemas,
}

impl Drop for Unwaited {
    fn drop(&mut self) {
        self.home.unwaited().remove(&self.collection);
    }
}

impl fmt::Debug for Unwaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unwaited({})", self.collection)
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schemas({:?}, {:?})", self.known, self.shares)
    }
}
