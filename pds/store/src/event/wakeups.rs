//! Telling readers that there may be new events.
//!
//! A wake-up is a hint: it may come without an event or be lost with a connection, so a reader polls now and then as
//! well. On SQLite there is one process, and a signal inside it is enough. On Postgres each process also listens on a
//! connection of its own, and tells the others with a NOTIFY outside any transaction (inside one it would take a lock
//! that serialises all commits), at most one per [`COALESCE`].

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::{Db, db::Pools};

const CHANNEL: &str = "pds_event";
const COALESCE: Duration = Duration::from_millis(2);
const RETRY: Duration = Duration::from_secs(1);

/// The signal of this process's own commits. All clones of a [`Db`] share it.
#[derive(Clone, Debug)]
pub(crate) struct Appended(watch::Sender<()>);

impl Default for Appended {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Appended {
    pub(crate) fn signal(&self) {
        self.0.send_replace(());
    }
}

/// Wakes one reader of events, and passes this process's commits on to the other processes. Both stop when it is dropped.
#[derive(Debug)]
pub struct Wakeups {
    wake: watch::Receiver<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Wakeups {
    /// Begins to listen, in the background; one per process is enough. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        match &db.pools {
            Pools::Sqlite { .. } => Self { wake: db.appended.0.subscribe(), tasks: Vec::new() },
            Pools::Postgres(pool) => {
                let wake = watch::Sender::new(());
                let receiver = wake.subscribe();
                let tell = tokio::spawn(tell(pool.clone(), db.appended.0.subscribe(), wake.clone()));
                let listen = tokio::spawn(listen(pool.clone(), wake));
                Self { wake: receiver, tasks: vec![tell, listen] }
            }
        }
    }

    /// Waits until there may be new events since the last call returned. Cancelling it loses nothing.
    pub async fn changed(&mut self) {
        if self.wake.changed().await.is_err() {
            // Only when the database handle is gone: there will be no more events.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Passes this process's commits on: to its own reader at once, to the other processes at most every [`COALESCE`].
async fn tell(pool: PgPool, mut appended: watch::Receiver<()>, wake: watch::Sender<()>) {
    while appended.changed().await.is_ok() {
        wake.send_replace(());
        if let Err(error) = sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&pool).await {
            // The others notice by polling.
            tracing::debug!("cannot notify other replicas of new events: {error}");
        }
        sleep(COALESCE).await;
    }
}

/// Turns notifications into wake-ups, reconnecting for ever. Each reconnection is a wake-up too: some may have been lost.
async fn listen(pool: PgPool, wake: watch::Sender<()>) {
    loop {
        if let Err(error) = listen_once(&pool, &wake).await {
            tracing::warn!("cannot listen for new events, polling only: {error}");
        }
        sleep(RETRY).await;
    }
}

async fn listen_once(pool: &PgPool, wake: &watch::Sender<()>) -> sqlx::Result<()> {
    // A pool of its own, so that listening never competes with queries for a connection.
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let own = own.connect_with((*pool.connect_options()).clone()).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    wake.send_replace(());
    while !pool.is_closed() {
        // None: the connection was lost and is made anew by the next call.
        listener.try_recv().await?;
        wake.send_replace(());
    }
    Ok(())
}
