//! Asks the blob store from time to time whether it takes requests. Requests of clients that need no blob never wait for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pds_blobstore::BlobStore;
use tokio::time::timeout;

use crate::{blob::Blobs, clock::Clock, metrics::Metrics, report::chain};

/// A blob store that takes longer counts as unavailable.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps `aurora_blob_store_up` of this replica current. Cheap to clone.
#[derive(Clone)]
pub(super) struct Watch {
    blobs: Blobs,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    was_up: Arc<AtomicBool>,
}

impl Watch {
    pub(super) fn new(blobs: Blobs, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self { blobs, clock, metrics, was_up: Arc::new(AtomicBool::new(true)) }
    }

    /// Asks once, and logs a change. An answer of the store is a successful look, whatever it says.
    pub(super) async fn look(self) -> anyhow::Result<()> {
        let answer = ask(self.blobs.store(), &*self.clock, &self.metrics).await;
        let was_up = self.was_up.swap(answer.is_ok(), Ordering::Relaxed);
        match &answer {
            Ok(()) if !was_up => tracing::info!("the blob store answers again"),
            Err(error) if was_up => tracing::warn!(
                error,
                "the blob store does not answer: uploads and downloads of blobs fail, everything else works"
            ),
            _ => {}
        }
        Ok(())
    }
}

/// Asks once and puts the answer into the metrics.
///
/// # Errors
/// Why there was no answer.
pub async fn ask(store: &dyn BlobStore, clock: &dyn Clock, metrics: &Metrics) -> Result<(), String> {
    let answer = match timeout(PATIENCE, store.health()).await {
        Ok(answer) => answer.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    metrics.blob_store_asked(answer.is_ok().then(|| clock.now_s()));
    answer
}
