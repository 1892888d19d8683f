//! Questions about the database server itself.

use crate::{
    Db, Dialect, Error, Result,
    source::{execute, on},
};

impl Db {
    /// Asks the database for an answer.
    ///
    /// # Errors
    /// When the database does not answer in time.
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

    /// The server's clock, in microseconds since 1970; `None` on SQLite, which has none of its own.
    ///
    /// # Errors
    /// When the server does not say it.
    pub async fn clock_us(&self) -> Result<Option<i64>> {
        const SQL: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let (now,): (i64,) = on!(self, conn => sqlx::query_as(SQL).fetch_one(conn))
            .map_err(Error::during("read the clock of", "server"))?;
        Ok(Some(now))
    }

    /// Maximum number of connections that the server takes from roles without privileges; `None` on SQLite.
    ///
    /// # Errors
    /// When the server does not say it.
    pub async fn server_connections(&self) -> Result<Option<u32>> {
        const SQL: &str = "select current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint";
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let (most,): (i64,) = on!(self, conn => sqlx::query_as(SQL).fetch_one(conn))
            .map_err(Error::during("read the connections of", "server"))?;
        Ok(Some(u32::try_from(most.max(0)).unwrap_or(u32::MAX)))
    }
}
