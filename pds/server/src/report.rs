//! How errors are written to the log, and how the end of an essential task is reported.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// An error and all its sources in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
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
