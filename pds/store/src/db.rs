//! The database handle: which database, its pools, and how transactions begin.

use std::time::Duration;

use crate::{
    Dialect, Error, Options, Result, Tx, bulk::Bulk, dialect, disk_full::DiskFull, event::Appended, line::Line,
    pools::Pools, tx::Open, waits::Waits,
};

/// A database. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) appended: Appended,
    pub(crate) disk_full: DiskFull,
    pub(crate) bulk: Bulk,
    pub(crate) line: Line,
    pub(crate) waits: Waits,
}

impl Db {
    /// Connects to `sqlite://path` (created if absent) or `postgres://...` and checks that the database keeps what it
    /// acknowledges. Does not migrate.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Connect`], or [`Error::Unfit`] when Postgres runs with `synchronous_commit=off`, with
    /// another encoding than UTF-8 or as a standby.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let waits = Waits::default();
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let pools = match scheme {
            "sqlite" => dialect::sqlite::connect(url, options, &waits).await?,
            "postgres" | "postgresql" => dialect::postgres::connect(url, options, &waits).await?,
            _ => return Err(Error::Url { reason: "it must begin with sqlite:// or postgres://".to_owned() }),
        };
        Ok(Self {
            pools,
            appended: Appended::default(),
            disk_full: DiskFull::default(),
            bulk: Bulk::new(options.max_connections, options.acquire_timeout),
            line: Line::new(options.acquire_timeout),
            waits,
        })
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a write transaction (`BEGIN IMMEDIATE` on SQLite, so it cannot fail half-way for want of the lock).
    ///
    /// # Errors
    /// Unavailable when no connection came free in time.
    pub async fn begin(&self) -> Result<Tx> {
        let (mut turn, line) = (None, self.line.clone());
        let open = match &self.pools {
            // The whole transaction keeps other writers waiting.
            Pools::Sqlite { write, .. } => match line.turn().await {
                Some(taken) => {
                    turn = Some(taken);
                    write.begin().await.map(Open::Sqlite)
                }
                None => Err(sqlx::Error::PoolTimedOut),
            },
            Pools::Postgres(pool) => dialect::postgres::begin(pool, None).await.map(Open::Postgres),
        }
        .map_err(Error::during("begin", "transaction"))?;
        let (appended, disk_full) = (self.appended.clone(), self.disk_full.clone());
        Ok(Tx { open, appended, disk_full, line, turn, last_seq: None })
    }

    /// Closes all connections, waiting for those in use. Later calls fail as unavailable.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write, bulk } => {
                bulk.close();
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// Whether a write of this process was refused because the database's volume is full, and none has succeeded since.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.disk_full.is_set()
    }

    /// Connections open now, and how many of them are idle; for metrics.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => {
                let (read, write) = (read.open(), write.open());
                (read.0 + write.0, read.1 + write.1)
            }
            Pools::Postgres(pool) => pool.open(),
        }
    }

    /// How long statements and transactions have waited for connections in all, and how many have waited; for metrics.
    #[must_use]
    pub fn waits(&self) -> (Duration, u64) {
        self.waits.total()
    }

    /// Connections that may be open at once; for metrics.
    #[must_use]
    pub fn max_connections(&self) -> u32 {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => read.max() + write.max(),
            Pools::Postgres(pool) => pool.max(),
        }
    }
}
