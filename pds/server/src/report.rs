//! How errors are written to the log, and how the end of an essential task is reported.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Maximum length of an error in the log, in characters: other servers choose what is in some, such as the names in a certificate.
const CHAIN_CHARS: usize = 1000;

/// An error and all its sources in one line of at most [`CHAIN_CHARS`] characters.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    if let Some((end, _)) = text.char_indices().nth(CHAIN_CHARS) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Reports that a task without which the server cannot work has ended. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Tasks may end once this is cancelled.
    shutdown: CancellationToken,
    ended: CancellationToken,
    task: Arc<OnceLock<&'static str>>,
}

impl Failed {
    /// For a server that stops when `shutdown` is cancelled.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, ended: CancellationToken::new(), task: Arc::default() }
    }

    /// Runs `task`, and reports if it panics, or returns before the server is to stop.
    pub fn supervise(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (task, failed) = (tokio::spawn(task), self.clone());
        tokio::spawn(async move {
            let how = match task.await {
                Err(error) if error.is_panic() => "panicked",
                Ok(()) if !failed.shutdown.is_cancelled() => "ended",
                _ => "",
            };
            if !how.is_empty() {
                tracing::error!(
                    task = name,
                    "the {name} has {how}: requests cannot be served without it, the process ends"
                );
                // Of several the first is named.
                let _ = failed.task.set(name);
                failed.ended.cancel();
            }
        });
    }

    /// The task that has ended.
    pub fn task(&self) -> Option<&'static str> {
        self.task.get().copied()
    }

    /// Waits until a task has ended.
    pub async fn wait(&self) {
        self.ended.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_cut_off() {
        let long = std::io::Error::other("ä".repeat(20_000));
        assert_eq!(chain(&long), format!("{}...", "ä".repeat(CHAIN_CHARS)));
        assert_eq!(chain(&std::io::Error::other("short")), "short");
    }

    #[tokio::test]
    async fn a_task_that_ends_is_reported_unless_the_server_stops() {
        let shutdown = CancellationToken::new();
        let failed = Failed::new(shutdown.clone());
        failed.supervise("committer", async { panic!("as a test wants it") });
        failed.wait().await;
        assert_eq!(failed.task(), Some("committer"));

        let failed = Failed::new(shutdown.clone());
        failed.supervise("sequencer", async {});
        failed.wait().await;
        assert_eq!(failed.task(), Some("sequencer"));

        let failed = Failed::new(shutdown.clone());
        shutdown.cancel();
        let (done, ended) = tokio::sync::oneshot::channel::<()>();
        failed.supervise("sequencer", async move { drop(done) });
        let _ = ended.await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(failed.task(), None);
    }
}
