//! How errors are written to the log, and how the end of an essential task is reported.

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
pub struct Failed(CancellationToken);

impl Failed {
    /// Runs `task`, and reports if it panics. A task that returns does so because the server stops.
    pub fn supervise(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (task, failed) = (tokio::spawn(task), self.0.clone());
        tokio::spawn(async move {
            if task.await.is_err_and(|error| error.is_panic()) {
                tracing::error!(
                    task = name,
                    "the {name} has failed: nothing can be stored or announced any more, the process ends"
                );
                failed.cancel();
            }
        });
    }

    /// Waits until a task has panicked.
    pub async fn wait(&self) {
        self.0.cancelled().await;
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
        assert!(!failed.0.is_cancelled());
        failed.supervise("committer", async { panic!("as a test wants it") });
        failed.wait().await;
    }
}
