//! Work on another task or thread, with the caller waiting for it. If the work panics, the caller panics.

use std::panic::resume_unwind;

use tokio::task::{JoinError, spawn_blocking};
use tracing::Instrument;

/// Runs `work` to its end, even if the caller is cancelled. What it logs belongs to the caller's request.
pub async fn run_to_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    output_of(tokio::spawn(work.in_current_span())).await
}

/// Runs `work` on a thread that may block: for file access, and for work too long for a thread of requests. Cannot be cancelled. Work that keeps
/// a core busy for long runs in [`pds_store::background`].
pub async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    output_of(spawn_blocking(work)).await
}

/// The output of a task that nobody aborts while this waits for it.
pub async fn output_of<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    task.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
