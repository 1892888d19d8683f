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
#[derive(Clone, Debug, Default)]
pub struct Failed {
    ended: CancellationToken,
    task: Arc<OnceLock<&'static str>>,
}

impl Failed {
    /// Runs `task`, and reports if it panics. A task that returns does so because the server stops.
    pub fn supervise(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (task, failed) = (tokio::spawn(task), self.clone());
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(
                    task = name,
                    "the {name} has panicked: requests cannot be served without it, the process ends"
                );
                // Of several the first is named.
                let _ = failed.task.set(name);
                failed.ended.cancel();
            }
        });
    }

    /// The task that has panicked.
    pub fn task(&self) -> Option<&'static str> {
        self.task.get().copied()
    }

    /// Waits until a task has panicked.
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
    async fn a_task_that_panics_is_told_of_and_one_that_returns_is_not() {
        let failed = Failed::default();
        failed.supervise("short one", async {});
        tokio::task::yield_now().await;
        assert!(!failed.ended.is_cancelled());
        failed.supervise("committer", async { panic!("as a test wants it") });
        failed.wait().await;
        assert_eq!(failed.task(), Some("committer"));
    }
}
