//! Work on another task or thread, with the caller waiting for it, and bodies that a task makes while they are sent. If work that is waited for
//! panics, the caller panics.

use std::{io, panic::resume_unwind};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::mpsc,
    task::{JoinError, spawn_blocking},
};
use tracing::Instrument;

/// What the task that makes a body passes to its reader.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Bytes(Bytes),
    /// The body is complete.
    End,
}

/// The pieces of a body, and an error if they stop before the end: an answer that was broken off must not look complete.
pub fn pieces(receiver: mpsc::Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export was broken off")), None)),
        }
    })
    // A body may be polled once more after its end.
    .fuse()
}

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
