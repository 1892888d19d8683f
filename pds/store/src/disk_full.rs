//! Whether the database's volume is full: learned from refused writes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::Error;

/// Set by a write that was refused because there is no room, cleared by the next one that succeeds. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DiskFull(Arc<AtomicBool>);

impl DiskFull {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Clears it: a write is durable.
    pub(crate) fn written(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Sets it if a statement failed for this reason.
    pub(crate) fn failed(&self, error: &sqlx::Error) {
        if is_full(error) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The same for an error of this crate.
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
    use crate::{Db, Options, Tx, blob, migrate, pools::Pools};

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
        sqlx::query("pragma max_page_count = 100").execute(&mut *write.acquire().await.unwrap()).await.unwrap();

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
