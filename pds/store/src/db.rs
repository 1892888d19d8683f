//! The database handle: which database, its pools, and how transactions begin.

use std::time::{Duration, Instant};

use sqlx::{PgPool, SqlitePool};

use crate::{
    Error, Result, Snapshot, Tx,
    bulk::Bulk,
    dialect::{self, sqlite::reader::Readers},
    event::Appended,
    full::Full,
    source::{execute, on},
    tx::Open,
    waits::Waits,
};

/// A database. Cheap to clone; all clones share the pools.
#[derive(Clone, Debug)]
pub struct Db {
    pub(crate) pools: Pools,
    pub(crate) appended: Appended,
    pub(crate) full: Full,
    pub(crate) bulk: Bulk,
    pub(crate) waits: Waits,
}

/// Which of the two databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// One file, one process.
    Sqlite,
    /// A server, any number of processes.
    Postgres,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most connections at once: to Postgres all together, to SQLite readers beside the one writer.
    pub max_connections: u32,
    /// Connections to Postgres that are kept open.
    pub min_connections: u32,
    /// How long one to Postgres may be idle beyond these.
    pub idle_timeout: Duration,
    /// Age at which one to Postgres is replaced.
    pub max_lifetime: Duration,
    /// How long a caller waits for a connection before the call fails as unavailable.
    pub acquire_timeout: Duration,
    /// What Postgres shows in `pg_stat_activity`.
    pub application_name: String,
    /// Certificates in PEM form that TLS to Postgres trusts beside the public authorities', unless the URL names others.
    pub ca_bundle: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 16,
            min_connections: 0,
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(1800),
            acquire_timeout: Duration::from_secs(5),
            application_name: "pds".to_owned(),
            ca_bundle: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// `bulk` is for reads of many rows.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        bulk: Readers,
    },
    Postgres(PgPool),
}

impl Db {
    /// Connects to `sqlite://path` (created if absent) or `postgres://...` and checks that the database keeps what it
    /// acknowledges. Does not migrate.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Connect`], or [`Error::Unfit`] when Postgres runs with `synchronous_commit=off`, with
    /// another encoding than UTF-8 or as a standby.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let pools = match scheme {
            "sqlite" => dialect::sqlite::connect(url, options).await?,
            "postgres" | "postgresql" => dialect::postgres::connect(url, options).await?,
            _ => return Err(Error::Url { reason: "it must begin with sqlite:// or postgres://".to_owned() }),
        };
        Ok(Self {
            pools,
            appended: Appended::default(),
            full: Full::default(),
            bulk: Bulk::new(options.max_connections, options.acquire_timeout),
            waits: Waits::default(),
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
        let began = Instant::now();
        let open = match &self.pools {
            Pools::Sqlite { write, .. } => write.begin_with("BEGIN IMMEDIATE").await.map(Open::Sqlite),
            Pools::Postgres(pool) => dialect::postgres::begin(pool, None).await.map(Open::Postgres),
        }
        .map_err(Error::during("begin", "transaction"))?;
        self.waits.waited(began.elapsed());
        Ok(Tx { open, appended: self.appended.clone(), full: self.full.clone(), last_seq: None })
    }

    /// Begins a read-only view of one moment: its first read's. On Postgres all such views together leave half of the connections free.
    ///
    /// # Errors
    /// Unavailable when no connection came free in time.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let begun = match &self.pools {
            Pools::Sqlite { bulk, .. } => Snapshot::on_sqlite(bulk).await,
            Pools::Postgres(pool) => match self.bulk.turn().await {
                Ok(turn) => Snapshot::on_postgres(pool, Some(turn)).await,
                Err(error) => Err(error),
            },
        };
        begun.map_err(Error::during("begin", "snapshot"))
    }

    /// As [`Db::snapshot`], for a write, which does not wait for readers.
    ///
    /// # Errors
    /// Unavailable when no connection came free in time.
    pub async fn snapshot_for_write(&self) -> Result<Snapshot> {
        let begun = match &self.pools {
            Pools::Sqlite { bulk, .. } => Snapshot::on_sqlite(bulk).await,
            Pools::Postgres(pool) => Snapshot::on_postgres(pool, None).await,
        };
        begun.map_err(Error::during("begin", "snapshot"))
    }

    /// Asks the database for an answer.
    ///
    /// # Errors
    /// When it gives none.
    pub async fn ping(&self) -> Result<()> {
        execute!(self, "select 1").map_err(Error::during("ping", "database"))?;
        Ok(())
    }

    /// The server's version as a number, 150018 for 15.18; `None` on SQLite.
    ///
    /// # Errors
    /// When the server does not say it.
    pub async fn postgres_version(&self) -> Result<Option<i32>> {
        const SQL: &str = "select current_setting('server_version_num')::integer";
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let (version,): (i32,) = on!(self, conn => sqlx::query_as(SQL).fetch_one(conn))
            .map_err(Error::during("read the version of", "server"))?;
        Ok(Some(version))
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

    /// Whether a write of this process was refused because the database's volume has no room, and none has succeeded since.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.is_set()
    }

    /// Connections open now, and how many of them are idle; for metrics.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => (read.size() + write.size(), read.num_idle() + write.num_idle()),
            Pools::Postgres(pool) => (pool.size(), pool.num_idle()),
        }
    }

    /// How long statements and transactions have waited for a connection all in all, and how many have; for metrics.
    #[must_use]
    pub fn waits(&self) -> (Duration, u64) {
        self.waits.total()
    }

    /// Connections that may be open at once; for metrics.
    #[must_use]
    pub fn max_connections(&self) -> u32 {
        match &self.pools {
            Pools::Sqlite { read, write, .. } => {
                read.options().get_max_connections() + write.options().get_max_connections()
            }
            Pools::Postgres(pool) => pool.options().get_max_connections(),
        }
    }
}
