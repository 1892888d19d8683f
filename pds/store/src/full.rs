//! How much room the database takes.

use crate::{Db, Error, Result, meter::here, pools::Pools};

/// Size of the database on the server's volume in bytes, without the write-ahead log. `None` on SQLite, whose file is on a volume of this
/// process.
///
/// # Errors
/// When the server does not answer.
pub async fn size_bytes(db: &Db) -> Result<Option<i64>> {
    let Pools::Postgres(pool) = &db.pools else { return Ok(None) };
    const SQL: &str = "select pg_database_size(current_database())";
    let measured = async {
        let mut held = pool.acquire().await?;
        pool.meter().run(here!(), sqlx::query_as(SQL).fetch_one(&mut *held)).await
    };
    let (bytes,): (i64,) = measured.await.map_err(Error::during("measure", "the database"))?;
    Ok(Some(bytes))
}
