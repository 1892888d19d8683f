//! SQLite: one file, one writing connection, any number of readers.

pub(crate) mod commit;
pub(crate) mod reader;
pub(crate) mod references;

use std::str::FromStr;

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::reader::{BUSY_TIMEOUT, Readers};
use crate::{
    Error, Options, Result,
    meter::Meter,
    pools::{Pool, Pools},
};

/// Opens the file, creating it if absent.
///
/// `synchronous=FULL` with WAL: an acknowledged commit survives a power cut. The writing connection is opened first and
/// kept, because it creates the WAL that the readers need.
pub(crate) async fn connect(url: &str, options: &Options, meter: &Meter) -> Result<Pools> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::Url {
            reason: "SQLite in memory has no durability and is not shared; give a path".to_owned(),
        });
    }
    let file = SqliteConnectOptions::from_str(url)
        .map_err(|error| Error::Url { reason: error.to_string() })?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let pool = || {
        SqlitePoolOptions::new().acquire_timeout(options.acquire_timeout).max_lifetime(None).test_before_acquire(false)
    };
    let write = pool()
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        // When the volume is full SQLite undoes the transaction by itself. The driver counts it as open for ever, and would begin no other.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(file.clone())
        .await
        .map_err(|source| Error::Connect { source })?;
    let bulk = Readers::new(file.get_filename(), options.max_connections, options.acquire_timeout, meter);
    let read = pool()
        .max_connections(options.max_connections.max(1))
        .connect_with(file.pragma("query_only", "on"))
        .await
        .map_err(|source| Error::Connect { source })?;
    Ok(Pools::Sqlite { read: Pool::new(read, meter), write: Pool::new(write, meter), bulk })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both settings are the connection's own, so no other process can look at them.
    #[tokio::test]
    async fn connections_are_durable_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("pds.sqlite").display());
        let Pools::Sqlite { read, write, .. } = connect(&url, &Options::default(), &Meter::default()).await.unwrap()
        else {
            unreachable!("connects to SQLite")
        };

        let (synchronous,): (i64,) =
            sqlx::query_as("pragma synchronous").fetch_one(&mut *write.acquire().await.unwrap()).await.unwrap();
        assert_eq!(synchronous, 2, "FULL");
        let (foreign_keys,): (i64,) =
            sqlx::query_as("pragma foreign_keys").fetch_one(&mut *write.acquire().await.unwrap()).await.unwrap();
        assert_eq!(foreign_keys, 1);
        assert!(sqlx::query("create table t (x)").execute(&mut *read.acquire().await.unwrap()).await.is_err());
    }
}
