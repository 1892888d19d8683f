//! Waking readers of events when there may be new ones ([ADR 14](../../../../docs/adr/0014-only-listeners-are-told.md)).
//!
//! A wake-up is a hint: it may come without an event or be lost with a connection, so readers poll as well. On SQLite there is one process,
//! and a signal inside it is enough. On Postgres a process with readers also listens on a connection of its own, and the others notify it
//! with a NOTIFY outside any transaction (inside one it would take a lock that serialises all commits), at most one per [`COALESCE`].
//!
//! A notification costs the database about as much as a small commit, and mostly no process listens. So listeners hold an advisory lock with
//! a number of their own, and processes that commit check at intervals whether there are any.

use std::time::Duration;

use sqlx::{
    Executor, Postgres,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Db,
    dialect::postgres::in_time,
    pools::{Pool, Pools},
};

const CHANNEL: &str = "pds_event";
/// First key of the listeners' locks; the second is the number of the process.
const LISTENERS: i32 = 0x7064_7365;
const COALESCE: Duration = Duration::from_millis(2);
/// How long the result of that check is used. A new listener may have to poll for so long.
const KNOWN: Duration = Duration::from_millis(250);
const RETRY: Duration = Duration::from_secs(1);
/// A connection on which nothing arrived for so long may be broken, and is replaced.
const QUIET: Duration = Duration::from_secs(60);

/// What other processes have announced.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// Events up to this number exist.
    upto: i64,
    /// Number of announcements without a number: anything may have happened.
    unknown: u64,
}

/// Notifies other processes of this process's commits, until it is dropped.
#[derive(Debug)]
pub struct Teller {
    _task: Option<AbortOnDropHandle<()>>,
}

impl Teller {
    /// Begins to notify, in the background; one per process is enough. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        let task = match &db.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres(pool) => {
                Some(tokio::spawn(tell(pool.clone(), db.appended.upto.subscribe(), db.appended.listener)))
            }
        };
        Self { _task: task.map(AbortOnDropHandle::new) }
    }
}

/// Wakes one reader of events: when this process commits, and when another one announces a commit.
#[derive(Debug)]
pub struct Wakeups {
    own: watch::Receiver<i64>,
    others: watch::Receiver<News>,
    /// The value in the announcements at the last wake-up.
    unknown: u64,
    _listener: Option<AbortOnDropHandle<()>>,
    /// Keeps the channel of `others` open.
    _others: watch::Sender<News>,
}

impl Wakeups {
    /// Begins to listen, in the background, until it is dropped; one per process is enough. Must be called inside a Tokio runtime.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        let others = watch::Sender::default();
        let listener = match &db.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres(pool) => Some(tokio::spawn(listen(pool.clone(), db.appended.listener, others.clone()))),
        };
        Self {
            own: db.appended.upto.subscribe(),
            others: others.subscribe(),
            unknown: 0,
            _listener: listener.map(AbortOnDropHandle::new),
            _others: others,
        }
    }

    /// Waits until there may be new events since the last call returned. Returns the number up to which there are, if it is known.
    ///
    /// Cancellation: loses nothing.
    pub async fn changed(&mut self) -> Option<i64> {
        let changed = tokio::select! {
            changed = self.own.changed() => changed,
            changed = self.others.changed() => changed,
        };
        if changed.is_err() {
            // Only when the database handle is gone: there will be no more events.
            std::future::pending::<()>().await;
        }
        let (own, news) = (*self.own.borrow_and_update(), *self.others.borrow_and_update());
        let known = self.unknown == news.unknown;
        self.unknown = news.unknown;
        known.then_some(own.max(news.upto))
    }
}

/// Notifies the other processes of this one's commits, at most every [`COALESCE`], while one of them listens.
async fn tell(pool: Pool<Postgres>, mut appended: watch::Receiver<i64>, own: i32) {
    let (mut heard, mut looked) = (false, None::<Instant>);
    while appended.changed().await.is_ok() {
        if looked.is_none_or(|at| at.elapsed() >= KNOWN) {
            // They are notified if the check fails.
            heard = in_time(is_heard(&pool, own)).await.unwrap_or(true);
            looked = Some(Instant::now());
        }
        let upto = *appended.borrow_and_update();
        if heard {
            let notify = sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(upto.to_string());
            let notified = in_time(async { notify.execute(&mut *pool.acquire().await?).await }).await;
            if let Err(error) = notified {
                // The others find the events by polling.
                tracing::debug!("cannot notify other replicas of new events: {error}");
            }
        }
        sleep(COALESCE).await;
    }
}

/// Whether another process listens.
async fn is_heard(pool: &Pool<Postgres>, own: i32) -> sqlx::Result<bool> {
    const SQL: &str = "select exists ( \
           select from pg_locks where locktype = 'advisory' and classid = $1::bigint::oid and objid <> $2::bigint::oid and granted \
             and database = (select oid from pg_database where datname = current_database()))";
    sqlx::query_scalar(SQL).bind(i64::from(LISTENERS)).bind(i64::from(own)).fetch_one(&mut *pool.acquire().await?).await
}

/// Turns notifications into wake-ups, reconnecting for ever. Each reconnection is a wake-up too: some may have been lost.
async fn listen(pool: Pool<Postgres>, own: i32, others: watch::Sender<News>) {
    loop {
        if let Err(error) = listen_once(&pool, own, &others).await {
            tracing::warn!("cannot listen for new events, polling only: {error}");
        }
        sleep(RETRY).await;
    }
}

async fn listen_once(pool: &Pool<Postgres>, own: i32, others: &watch::Sender<News>) -> sqlx::Result<()> {
    // A pool of its own, so that listening never competes with queries for a connection.
    let connection = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let connection = connection.connect_with(pool.connect_options()).await?;
    let mut listener = PgListener::connect_with(&connection).await?;
    // The caller replaces it, and takes the lock again.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    let lock = sqlx::query("select pg_advisory_lock_shared($1, $2)").bind(LISTENERS).bind(own);
    listener.execute(lock).await?;
    others.send_modify(|news| news.unknown += 1);
    while !pool.is_closed() {
        // An error or nothing: the connection was lost, or may have been.
        let Ok(told) = timeout(QUIET, listener.try_recv()).await else { return Ok(()) };
        let Some(told) = told? else { return Ok(()) };
        others.send_modify(|news| match told.payload().parse::<i64>() {
            Ok(seq) => news.upto = seq.max(news.upto),
            Err(_) => news.unknown += 1,
        });
    }
    Ok(())
}
