//! Regular care of a SQLite file. PostgreSQL takes care of itself (autovacuum, checkpoints).

use crate::{Db, Error, Result, meter::here, pools::Pools};

/// Renews the statistics that SQLite chooses indexes by, and copies what stands in the write-ahead log into the file. Waits for no reader. Does nothing on
/// PostgreSQL.
///
/// # Errors
/// When the file cannot be written.
pub async fn run(db: &Db) -> Result<()> {
    // The limit bounds the rows that are looked at for each index.
    const STATEMENTS: [&str; 3] = ["pragma analysis_limit = 1000", "pragma optimize", "pragma wal_checkpoint(passive)"];
    let Pools::Sqlite { write, .. } = &db.pools else { return Ok(()) };
    let failed = || Error::during("maintain", "database");
    let mut connection = write.acquire().await.map_err(failed())?;
    for sql in STATEMENTS {
        let statement = sqlx::query(sql).execute(&mut *connection);
        write.meter().run(here!(), statement).await.map_err(failed())?;
    }
    Ok(())
}
