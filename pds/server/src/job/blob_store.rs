//! Asks the blob store from time to time whether it takes requests. Requests of clients that need no blob never wait for it.

use std::{sync::Arc, time::Duration};

use pds_blobstore::BlobStore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{blob::Blobs, clock::Clock, metrics::Metrics, report::chain};

/// Time between two questions.
const EVERY: Duration = Duration::from_secs(15);
/// A blob store that takes longer counts as unavailable.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps `aurora_blob_store_up` current until the server stops.
pub(super) fn start(blobs: Blobs, clock: Arc<dyn Clock>, metrics: Metrics, shutdown: CancellationToken) {
    tokio::spawn(async move {
        let mut was_up = true;
        loop {
            let answer = ask(blobs.store(), &*clock, &metrics).await;
            match &answer {
                Ok(()) if !was_up => tracing::info!("the blob store answers again"),
                Err(error) if was_up => {
                    tracing::warn!(
                        error,
                        "the blob store does not answer: uploads and downloads of blobs fail, everything else works"
                    );
                }
                _ => {}
            }
            was_up = answer.is_ok();
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(EVERY) => {}
            }
        }
    });
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
