//! One way to run a statement on either database, through the pool, a transaction or a snapshot.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
};

use sqlx::{Database, Postgres, Sqlite, pool::PoolConnection};

use crate::{Db, Snapshot, Tx, db::Pools, tx::Open};

/// Where a read may run: `&Db` (its own statement), `&mut Tx` or `&mut Snapshot` (inside it).
///
/// A `&mut Tx` in hand is passed on as `&mut *tx`: generic parameters do not reborrow by themselves.
pub trait Source<'a>: Sized + Send + sealed::Sealed {
    /// A connection, for as long as the statement runs.
    #[doc(hidden)]
    fn connection(self) -> impl Future<Output = sqlx::Result<Connection<'a>>> + Send;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &crate::Db {}
    impl Sealed for &mut crate::Tx {}
    impl Sealed for &mut crate::Snapshot {}
}

/// A connection to one of the two databases.
#[doc(hidden)]
pub enum Connection<'a> {
    /// To a SQLite file.
    Sqlite(Held<'a, Sqlite>),
    /// To a Postgres server.
    Postgres(Held<'a, Postgres>),
}

/// A connection of the pool, or one that a transaction already holds.
#[doc(hidden)]
pub enum Held<'a, DB: Database> {
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

impl<'a> Source<'a> for &'a Db {
    async fn connection(self) -> sqlx::Result<Connection<'a>> {
        Ok(match &self.pools {
            Pools::Sqlite { read, .. } => Connection::Sqlite(Held::Pooled(read.acquire().await?)),
            Pools::Postgres(pool) => Connection::Postgres(Held::Pooled(pool.acquire().await?)),
        })
    }
}

impl<'a> Source<'a> for &'a mut Tx {
    async fn connection(self) -> sqlx::Result<Connection<'a>> {
        Ok(self.open.connection())
    }
}

impl<'a> Source<'a> for &'a mut Snapshot {
    async fn connection(self) -> sqlx::Result<Connection<'a>> {
        Ok(self.open.connection())
    }
}

impl Open {
    /// The transaction's connection.
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(tx) => Connection::Sqlite(Held::Borrowed(&mut **tx)),
            Self::Postgres(tx) => Connection::Postgres(Held::Borrowed(&mut **tx)),
        }
    }
}

/// Runs one query on whichever database `source` is: `on!(source, conn => sqlx::query(SQL).execute(conn))`.
macro_rules! on {
    ($source:expr, $conn:ident => $query:expr) => {
        match $crate::source::Source::connection($source).await {
            Ok($crate::source::Connection::Sqlite(mut held)) => {
                let $conn = &mut *held;
                $query.await
            }
            Ok($crate::source::Connection::Postgres(mut held)) => {
                let $conn = &mut *held;
                $query.await
            }
            Err(error) => Err(error),
        }
    };
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
