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
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{Db, db::Pools, dialect::postgres::in_time};

const CHANNEL: &str = "pds_event";
const COALESCE: Duration = Duration::from_millis(2);
const RETRY: Duration = Duration::from_secs(1);
/// A connection on which nothing was heard for so long may be cut off, and is made anew.
const QUIET: Duration = Duration::from_secs(60);

/// What is known of the events there are.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// Events up to this number exist.
    upto: i64,
    /// How often something may have happened that nobody numbered.
    unknown: u64,
}

impl News {
    fn upto(sender: &watch::Sender<Self>, seq: i64) {
        sender.send_modify(|news| news.upto = news.upto.max(seq));
    }

    fn unknown(sender: &watch::Sender<Self>) {
        sender.send_modify(|news| news.unknown += 1);
    }
}

/// The last event of this process's own commits. All clones of a [`Db`] share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Appended(watch::Sender<News>);

impl Appended {
    pub(crate) fn signal(&self, last_seq: i64) {
        News::upto(&self.0, last_seq);
    }
}

/// Wakes one reader of events, and passes this process's commits on to the other processes. Both stop when it is dropped.
#[derive(Debug)]
pub struct Wakeups {
    wake: watch::Receiver<News>,
    /// As of the last wake-up.
    unknown: u64,
    tasks: Vec<JoinHandle<()>>,
}

impl Wakeups {
    /// Begins to listen, in the background; one per process is enough. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        match &db.pools {
            Pools::Sqlite { .. } => Self { wake: db.appended.0.subscribe(), unknown: 0, tasks: Vec::new() },
            Pools::Postgres(pool) => {
                let wake = watch::Sender::new(News::default());
                let receiver = wake.subscribe();
                let tell = tokio::spawn(tell(pool.clone(), db.appended.0.subscribe(), wake.clone()));
                let listen = tokio::spawn(listen(pool.clone(), wake));
                Self { wake: receiver, unknown: 0, tasks: vec![tell, listen] }
            }
        }
    }

    /// Waits until there may be new events since the last call returned. If nothing but events up to a certain one can be new, that one.
    /// Cancelling it loses nothing.
    pub async fn changed(&mut self) -> Option<i64> {
        if self.wake.changed().await.is_err() {
            // Only when the database handle is gone: there will be no more events.
            std::future::pending::<()>().await;
        }
        let news = *self.wake.borrow_and_update();
        let known = self.unknown == news.unknown;
        self.unknown = news.unknown;
        known.then_some(news.upto)
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
async fn tell(pool: PgPool, mut appended: watch::Receiver<News>, wake: watch::Sender<News>) {
    while appended.changed().await.is_ok() {
        let News { upto, .. } = *appended.borrow_and_update();
        News::upto(&wake, upto);
        let notify = sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(upto.to_string());
        if let Err(error) = in_time(notify.execute(&pool)).await {
            // The others notice by polling.
            tracing::debug!("cannot notify other replicas of new events: {error}");
        }
        sleep(COALESCE).await;
    }
}

/// Turns notifications into wake-ups, reconnecting for ever. Each reconnection is a wake-up too: some may have been lost.
async fn listen(pool: PgPool, wake: watch::Sender<News>) {
    loop {
        if let Err(error) = listen_once(&pool, &wake).await {
            tracing::warn!("cannot listen for new events, polling only: {error}");
        }
        sleep(RETRY).await;
    }
}

async fn listen_once(pool: &PgPool, wake: &watch::Sender<News>) -> sqlx::Result<()> {
    // A pool of its own, so that listening never competes with queries for a connection.
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let own = own.connect_with((*pool.connect_options()).clone()).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    News::unknown(wake);
    while !pool.is_closed() {
        // None: the connection was lost and is made anew by the next call.
        let Ok(told) = timeout(QUIET, listener.try_recv()).await else { return Ok(()) };
        let told = told?;
        match told.and_then(|notification| notification.payload().parse().ok()) {
            Some(seq) => News::upto(wake, seq),
            None => News::unknown(wake),
        }
    }
    Ok(())
}
