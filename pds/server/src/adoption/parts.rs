//! What an import works with.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use pds_blobstore::BlobStore;
use pds_crypto::seal::SealKey;
use pds_store::{Db, reference::Folder};
use pds_syntax::Did;

use super::BlobSource;
use crate::clock::Clock;

/// What an import works with.
pub struct Parts {
    /// Where the accounts go.
    pub db: Db,
    /// Where their blobs go.
    pub blobs: Arc<dyn BlobStore>,
    /// Seals their signing keys.
    pub seal: SealKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where they come from.
    pub folder: Folder,
    /// Where the bytes of their blobs are.
    pub blob_source: BlobSource,
    /// Age of the oldest event that followers may ask for.
    pub window: Duration,
    /// Whether sessions go on, which they can if the secret that signs them stays.
    pub with_sessions: bool,
    /// Accounts that are not to be taken over.
    pub left_out: BTreeSet<Did>,
}
