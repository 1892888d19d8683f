//! Asks the blob store from time to time whether it takes requests. Requests that need no blob never wait for it.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{app::App, report::chain};

/// How often the blob store is asked.
const EVERY: Duration = Duration::from_secs(15);
/// A blob store that takes longer counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps `aurora_blob_store_up` current until the server stops.
pub(super) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        let mut was_up = true;
        loop {
            let answer = ask(&app).await;
            match &answer {
                Ok(()) if !was_up => tracing::info!("the blob store answers again"),
                Err(error) if was_up => {
                    tracing::warn!(
                        error,
                        "the blob store does not answer: uploads and downloads of blobs fail, all else goes on"
                    );
                }
                _ => {}
            }
            was_up = answer.is_ok();
            tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = sleep(EVERY) => {}
            }
        }
    });
}

/// Asks once and puts the answer into the metrics; the error says why there was none.
pub async fn ask(app: &App) -> Result<(), String> {
    let answer = match timeout(PATIENCE, app.blobs.health()).await {
        Ok(answer) => answer.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    app.metrics.blob_store_asked(answer.is_ok().then(|| app.clock.now_s()));
    answer
}
