//! One way to run a statement on either database, through the pool or a transaction.

use std::ops::{Deref, DerefMut};

use sqlx::{Database, PgConnection, Postgres, Sqlite, pool::PoolConnection};

use crate::{Db, Tx, disk_full::DiskFull, meter::Meter, pools::Pools, tx::Open};

/// Where a read runs: `&Db` (as a statement of its own) or `&mut Tx` (inside the transaction).
///
/// A `&mut Tx` in hand is passed on as `&mut *tx`: generic parameters do not reborrow by themselves. It is a type rather
/// than a trait: with a trait the compiler cannot see that the functions' futures are `Send`.
pub struct Source<'a> {
    place: Place<'a>,
    /// Notified of failed statements.
    disk_full: Option<DiskFull>,
    meter: Meter,
}

enum Place<'a> {
    Pool(&'a Db),
    Open(&'a mut Open),
    Postgres(&'a mut PgConnection),
}

impl<'a> From<&'a Db> for Source<'a> {
    fn from(db: &'a Db) -> Self {
        Self { place: Place::Pool(db), disk_full: Some(db.disk_full.clone()), meter: db.meter.clone() }
    }
}

impl<'a> From<&'a mut Tx> for Source<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self { place: Place::Open(&mut tx.open), disk_full: Some(tx.disk_full.clone()), meter: tx.meter.clone() }
    }
}

impl<'a> From<(&'a mut PgConnection, &Meter)> for Source<'a> {
    fn from((connection, meter): (&'a mut PgConnection, &Meter)) -> Self {
        Self { place: Place::Postgres(connection), disk_full: None, meter: meter.clone() }
    }
}

impl<'a> Source<'a> {
    pub(crate) fn disk_full(&self) -> Option<DiskFull> {
        self.disk_full.clone()
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// A connection, for as long as the statement runs.
    pub(crate) async fn connection(self) -> sqlx::Result<Connection<'a>> {
        Ok(match self.place {
            Place::Pool(db) => match &db.pools {
                Pools::Sqlite { read, .. } => Connection::Sqlite(Held::Pooled(read.acquire().await?)),
                Pools::Postgres(pool) => Connection::Postgres(Held::Pooled(pool.acquire().await?)),
            },
            Place::Open(Open::Sqlite(tx)) => Connection::Sqlite(Held::Borrowed(&mut **tx)),
            Place::Open(Open::Postgres(tx)) => Connection::Postgres(Held::Borrowed(&mut **tx)),
            Place::Postgres(connection) => Connection::Postgres(Held::Borrowed(connection)),
        })
    }
}

/// A connection to one of the two databases.
pub(crate) enum Connection<'a> {
    /// To a SQLite file.
    Sqlite(Held<'a, Sqlite>),
    /// To a Postgres server.
    Postgres(Held<'a, Postgres>),
}

/// A connection of the pool, or one that a transaction already holds.
pub(crate) enum Held<'a, DB: Database> {
    /// Goes back to the pool when dropped.
    Pooled(PoolConnection<DB>),
    /// Belongs to a transaction.
    Borrowed(&'a mut DB::Connection),
}

impl<DB: Database> Deref for Held<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Held<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Pooled(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }
}

/// Runs one query on whichever database `source` is: `on!(source, conn => sqlx::query(SQL).execute(conn))`.
macro_rules! on {
    ($source:expr, $conn:ident => $query:expr) => {{
        let source = Into::<$crate::Source<'_>>::into($source);
        let (disk_full, meter) = (source.disk_full(), source.meter());
        let done = match source.connection().await {
            Ok($crate::source::Connection::Sqlite(mut held)) => {
                let $conn = &mut *held;
                meter.run($crate::meter::here!(), $query).await
            }
            Ok($crate::source::Connection::Postgres(mut held)) => {
                let $conn = &mut *held;
                meter.run($crate::meter::here!(), $crate::dialect::postgres::in_time($query)).await
            }
            Err(error) => Err(error),
        };
        if let (Err(error), Some(disk_full)) = (&done, disk_full) {
            disk_full.failed(error);
        }
        done
    }};
}
pub(crate) use on;

/// Runs one statement without result rows and gives the number of rows it changed.
macro_rules! execute {
    ($source:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        $crate::source::on!($source, conn => async {
            sqlx::query($sql)$(.bind($value))*.execute(conn).await.map(|done| done.rows_affected())
        })
    };
}
pub(crate) use execute;
