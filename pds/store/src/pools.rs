//! The connections to the database.

use std::time::{Duration, Instant};

use sqlx::{Database, Postgres, SqlSafeStr, Sqlite, Transaction, pool::PoolConnection};

use crate::{
    dialect::sqlite::reader::Readers,
    meter::{Meter, here},
};

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// `bulk` is for reads of many rows.
    Sqlite {
        read: Pool<Sqlite>,
        write: Pool<Sqlite>,
        bulk: Readers,
    },
    Postgres(Pool<Postgres>),
}

/// Connections that are taken one by one, so that every wait for one is counted. Cheap to clone; all clones share the connections.
#[derive(Debug)]
pub(crate) struct Pool<DB: Database> {
    inner: sqlx::Pool<DB>,
    meter: Meter,
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), meter: self.meter.clone() }
    }
}

impl<DB: Database> Pool<DB> {
    pub(crate) fn new(inner: sqlx::Pool<DB>, meter: &Meter) -> Self {
        Self { inner, meter: meter.clone() }
    }

    /// A connection, as soon as one is free.
    pub(crate) async fn acquire(&self) -> sqlx::Result<PoolConnection<DB>> {
        let began = Instant::now();
        let connection = self.inner.acquire().await;
        self.meter.waited(began.elapsed());
        connection
    }

    /// Measures the statements that run on the connections.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) fn connect_options(&self) -> <DB::Connection as sqlx::Connection>::Options {
        (*self.inner.connect_options()).clone()
    }

    pub(crate) fn acquire_timeout(&self) -> Duration {
        self.inner.options().get_acquire_timeout()
    }

    /// Connections that may be open at once.
    pub(crate) fn max(&self) -> u32 {
        self.inner.options().get_max_connections()
    }

    /// Connections open now, and how many of them are idle.
    pub(crate) fn open(&self) -> (u32, usize) {
        (self.inner.size(), self.inner.num_idle())
    }

    /// Waits for connections in use. Later calls of [`Pool::acquire`] fail.
    pub(crate) async fn close(&self) {
        self.inner.close().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

impl Pool<Sqlite> {
    /// Begins a transaction that takes the write lock first, so that it cannot fail half-way for want of it.
    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        let begin = Transaction::begin(self.acquire().await?, Some("BEGIN IMMEDIATE".into_sql_str()));
        self.meter.run(here!(), begin).await
    }
}
