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
}
