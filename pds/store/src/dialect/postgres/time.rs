//! Limits on the time that a statement may take.

use std::{io, time::Duration};

use futures::{Stream, StreamExt, stream};
use sqlx::Postgres;
use tokio::time::timeout;

use crate::pools::Pool;

/// The longest wait for the answer to a statement. Without it a lost connection would be waited for until the system gives it up, which takes
/// a quarter of an hour or for ever.
const ANSWER: Duration = Duration::from_secs(10);

/// The answer to a statement. Without one in time the server counts as unavailable, and whether the statement was carried out is unknown.
pub(crate) async fn in_time<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(ANSWER, statement).await.unwrap_or_else(|_| Err(away()))
}

/// The rows of a statement, each of them in time.
pub(crate) fn each_in_time<T>(
    rows: impl Stream<Item = sqlx::Result<T>> + Unpin,
) -> impl Stream<Item = sqlx::Result<T>> {
    stream::unfold(rows, |mut rows| async move {
        let row = in_time(async { rows.next().await.transpose() }).await;
        Some((row.transpose()?, rows))
    })
}

/// The same for work that first waits for a connection.
pub(crate) async fn in_time_on<T>(pool: &Pool<Postgres>, work: impl Future<Output = T>) -> Result<T, sqlx::Error> {
    timeout(pool.acquire_timeout() + ANSWER, work).await.map_err(|_| away())
}

pub(super) fn away() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}
