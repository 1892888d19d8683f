//! The blobs of this host, and the parts that storing and reading them takes.

use std::sync::Arc;

use pds_blobstore::BlobStore;
use pds_store::{AccountId, Db, account::Account};
use tokio_util::sync::CancellationToken;

use super::{checks::Checks, refused_uploads::RefusedUploads};
use crate::{clock::Clock, metrics::Metrics};

/// The blobs of this host. Cheap to clone.
#[derive(Clone)]
pub struct Blobs(Arc<Inner>);

/// What blobs are stored in and read from.
pub struct Parts {
    /// Rows of blobs.
    pub db: Db,
    /// Their bytes.
    pub store: Arc<dyn BlobStore>,
    /// Upload limit, quota and redirects.
    pub settings: pds_config::Blob,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts lost objects and failed deletions.
    pub metrics: Metrics,
    /// Ends background work when the server stops.
    pub shutdown: CancellationToken,
}

struct Inner {
    parts: Parts,
    checks: Checks,
    refused_uploads: RefusedUploads,
}

impl Blobs {
    /// The blobs of all accounts of this host.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, checks: Checks::default(), refused_uploads: RefusedUploads::default() }))
    }

    /// The bytes of blobs, by their storage keys.
    pub fn store(&self) -> &dyn BlobStore {
        &*self.0.parts.store
    }

    /// Maximum size of all records and blobs of an account in bytes: its own, or else the host's. `None`: there is none.
    pub fn quota(&self, account: &Account) -> Option<u64> {
        account.quota(self.0.parts.settings.account_quota)
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.parts.db
    }

    pub(super) fn now_us(&self) -> i64 {
        self.0.parts.clock.now_us()
    }

    pub(super) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    /// Refuses further uploads of an account until then, in microseconds.
    pub async fn refuse_uploads(&self, id: AccountId, until_us: i64) {
        self.0.refused_uploads.insert(id, until_us).await;
    }

    /// Until when uploads of an account are refused, if they are and no record waits for a blob; microseconds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn uploads_refused_until(&self, id: AccountId) -> pds_store::Result<Option<i64>> {
        let refused = &self.0.refused_uploads;
        match refused.until(id, self.now_us()).await {
            Some(until) if !refused.any_missing(self.db(), id).await? => Ok(Some(until)),
            _ => Ok(None),
        }
    }
}
