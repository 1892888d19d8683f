//! How full the database's volume is, as far as its size and refused writes tell.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{Db, Error, Result, db::Pools};

/// Bytes that the database takes on the server's volume, without the log of its changes. `None` on SQLite, which is on a volume of ours.
///
/// # Errors
/// What the database answers.
pub async fn size_bytes(db: &Db) -> Result<Option<i64>> {
    let Pools::Postgres(pool) = &db.pools else { return Ok(None) };
    const SQL: &str = "select pg_database_size(current_database())";
    let (bytes,): (i64,) =
        sqlx::query_as(SQL).fetch_one(pool).await.map_err(Error::during("measure", "the database"))?;
    Ok(Some(bytes))
}

/// Set by a write that was refused for want of room, cleared by the next one that succeeds. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Full(Arc<AtomicBool>);

impl Full {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A write is durable.
    pub(crate) fn written(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// A statement failed, for this reason or another.
    pub(crate) fn failed(&self, error: &sqlx::Error) {
        if is_full(error) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The same, of an error that has a name already.
    pub(crate) fn failed_with(&self, error: &Error) {
        if let Some(error) = error.driver() {
            self.failed(error);
        }
    }
}

/// Postgres: `disk_full` (53100). SQLite: `SQLITE_FULL` (13).
fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| {
        code == "53100" || (code.len() < 5 && code.parse().is_ok_and(|code: u32| code & 0xff == 13))
    })
}

#[cfg(test)]
mod tests {
    use crate::{Db, Options, Tx, blob, db::Pools, migrate};

    async fn fill(tx: &mut Tx) -> crate::Result<()> {
        for n in 0..1_000 {
            blob::discard(tx, &format!("{n}-{}", "x".repeat(2_000)), 0).await?;
        }
        Ok(())
    }

    /// A limit of one connection stands for the end of the volume.
    #[tokio::test]
    async fn a_full_volume_is_known_until_a_write_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("pds.sqlite").display());
        let db = Db::connect(&url, &Options::default()).await.unwrap();
        migrate(&db).await.unwrap();
        let Pools::Sqlite { write, .. } = &db.pools else { unreachable!("connects to SQLite") };
        sqlx::query("pragma max_page_count = 100").execute(write).await.unwrap();

        let mut tx = db.begin().await.unwrap();
        let error = fill(&mut tx).await.unwrap_err();
        assert!(error.is_unavailable(), "{error:?}");
        drop(tx);
        assert!(db.is_full() && db.clone().is_full());

        // SQLite has undone the transaction by itself. That connection, and the limit with it, is gone.
        let mut tx = db.begin().await.unwrap();
        fill(&mut tx).await.unwrap();
        assert!(db.is_full(), "nothing is durable yet");
        tx.commit().await.unwrap();
        assert!(!db.is_full());
    }
}
