//! Connections for reads of many rows, each of which runs on one thread from the first row to the last.
//!
//! The driver of the pool passes every row from one thread to another, which costs several times as much as reading it
//! ([ADR 7](../../../../../docs/adr/0007-many-rows-of-sqlite-at-once.md)).

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row};
use sqlx::error::{DatabaseError, ErrorKind};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{background, meter::Meter};

/// How long another process (`pds migrate` beside `pds serve`) may hold the write lock before a writer gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that only read. Cheap to clone; all clones share them.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Shared>);

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    acquire_timeout: Duration,
    meter: Meter,
}

/// One of the connections, until it is dropped. An open transaction is rolled back then.
pub(crate) struct Reader {
    /// `None` while it is in use, and for good if that was cancelled.
    held: Option<Held>,
    home: Arc<Shared>,
}

struct Held {
    connection: Connection,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// For the file at `path`, which exists; at most `max` connections, each opened when it is needed.
    pub(super) fn new(path: &Path, max: u32, acquire_timeout: Duration, meter: &Meter) -> Self {
        let permits = Arc::new(Semaphore::new(usize::try_from(max.max(1)).unwrap_or(usize::MAX)));
        let meter = meter.clone();
        Self(Arc::new(Shared { path: path.to_owned(), idle: Mutex::default(), permits, acquire_timeout, meter }))
    }

    /// A connection, as soon as one is free.
    pub(crate) async fn acquire(&self) -> sqlx::Result<Reader> {
        let began = Instant::now();
        let permit = timeout(self.0.acquire_timeout, self.0.permits.clone().acquire_owned()).await;
        self.0.meter.waited(began.elapsed());
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.0.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.0.path).map_err(failed)?,
        };
        Ok(Reader { held: Some(Held { connection, _permit: permit }), home: self.0.clone() })
    }

    /// Runs `work` on a connection. `place` names it, see [`Meter::run`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        place: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        self.acquire().await?.run(place, work).await
    }

    /// Closes those that are idle; the others follow as they are given back.
    pub(crate) fn close(&self) {
        self.0.permits.close();
        self.0.idle().clear();
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Runs `work` on a thread that may block: on this one if it is a background thread. `place` names it, see [`Meter::run`].
    ///
    /// Cancellation: the work runs to its end, and the connection is closed then.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        place: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let held = self.held.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let meter = self.home.meter.clone();
        let run = async {
            let (held, result) = if background::is_current() {
                held.run(work)
            } else {
                spawn_blocking(move || held.run(work)).await.map_err(|_| sqlx::Error::WorkerCrashed)?
            };
            self.held = Some(held);
            result
        };
        meter.run(place, run).await
    }
}

impl Held {
    fn run<T>(self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> (Self, sqlx::Result<T>) {
        let result = work(&self.connection);
        (self, result.map_err(failed))
    }
}

impl Reader {
    /// Reads a single row as the `row!` struct `R`. Statements that read many rows use [`Reader::run`].
    pub(crate) async fn optional<R>(
        &mut self,
        place: &'static str,
        sql: &'static str,
        params: impl Params + Send + 'static,
    ) -> sqlx::Result<Option<R>>
    where
        R: for<'r> TryFrom<&'r Row<'r>, Error = rusqlite::Error> + Send + 'static,
    {
        self.run(place, move |conn| conn.prepare_cached(sql)?.query_row(params, |row| R::try_from(row)).optional())
            .await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let clean = held.connection.is_autocommit() || held.connection.execute_batch("rollback").is_ok();
        if clean && !self.home.permits.is_closed() {
            self.home.idle().push(held.connection);
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// The error as the driver of the pool reports it.
fn failed(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(..) => sqlx::Error::Database(Box::new(Failure(error))),
        other => sqlx::Error::Decode(Box::new(other)),
    }
}

/// An error of SQLite itself.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failure(rusqlite::Error);

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        match &self.0 {
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            _ => "SQLite failed",
        }
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.0.sqlite_error().map(|error| error.extended_code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Readers({} idle)", self.0.idle().len())
    }
}
