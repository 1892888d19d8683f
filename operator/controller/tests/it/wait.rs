//! Waiting for something in the cluster. What can be watched is not asked for again and again: a suite of many tests would ask most of the time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::{Api, WatchEvent, WatchParams};
use serde::de::DeserializeOwned;

/// For how long a test waits: the garbage collector looks for new kinds every 30 seconds only.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Between two questions, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// Asks until there is an answer, for 90 seconds.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let (began, mut pause) = (Instant::now(), PAUSES.0);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES.1);
    }
}

/// Shows each state of an object, beginning with the present one, until `judge` has an answer. `None` if there is none within 90 seconds.
pub(crate) async fn watched<K, T>(api: &Api<K>, name: &str, mut judge: impl FnMut(K) -> Option<T>) -> Option<T>
where
    K: Clone + DeserializeOwned + Debug,
{
    let of_one = WatchParams::default().fields(&format!("metadata.name={name}"));
    let answer = async {
        loop {
            // Without a version the newest state comes first, as of a read.
            if let Ok(events) = api.watch(&of_one, "").await {
                let mut events = std::pin::pin!(events);
                while let Some(Ok(event)) = events.next().await {
                    if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event
                        && let Some(answer) = judge(object)
                    {
                        return answer;
                    }
                }
            }
            // The watch broke off, or the object cannot be read.
            tokio::time::sleep(PAUSES.1).await;
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.ok()
}
