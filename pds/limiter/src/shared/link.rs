//! The connections to Redis. Requests use one that is open and never wait for one to open.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, RedisResult, Script, ScriptInvocation, aio::MultiplexedConnection,
};
use tokio::{sync::Notify, time::timeout};

/// A call that takes longer counts as failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls that wait on each connection when another one is opened.
const BUSY: usize = 32;

/// Connections with pipelined commands, and their state: one, and more while many calls wait. They are open together or not at all.
pub(super) struct Link {
    client: Client,
    lines: RwLock<Lines>,
    /// Maximum number of connections.
    most: usize,
    /// All connections are busy and there may be another one.
    wants_another: Notify,
    /// The largest number of calls at the same time since the last heartbeat.
    peak: AtomicUsize,
    warned: AtomicBool,
    failures: AtomicU64,
    replicas: AtomicU32,
    heartbeat: Script,
    heartbeat_key: String,
    id: String,
}

#[derive(Default)]
struct Lines {
    open: Vec<Line>,
    /// Counts how often Redis was connected to after a failure. A call that failed before does not close what was opened since.
    number: u64,
}

struct Line {
    connection: MultiplexedConnection,
    calls: Arc<AtomicUsize>,
}

/// A call under way.
struct Call {
    connection: MultiplexedConnection,
    number: u64,
    calls: Arc<AtomicUsize>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Link {
    /// Opens at most `most` connections, none of them yet.
    pub(super) fn new(client: Client, most: u32, heartbeat_key: String) -> Self {
        Self {
            client,
            lines: RwLock::default(),
            most: usize::try_from(most).unwrap_or(usize::MAX).max(1),
            wants_another: Notify::new(),
            peak: AtomicUsize::new(0),
            warned: AtomicBool::default(),
            failures: AtomicU64::default(),
            replicas: AtomicU32::new(1),
            heartbeat: Script::new(include_str!("replicas.lua")),
            heartbeat_key,
            id: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// Number of replicas at the last heartbeat, including this one.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.lines.read().unwrap_or_else(PoisonError::into_inner).open.is_empty()
    }

    /// Number of failed calls since the start.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The result of a script. `None` if no connection is open or the call fails. A failure closes the connections.
    pub(super) async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        let mut call = self.call()?;
        let answer: RedisResult<T> = script.invoke_async(&mut call.connection).await;
        answer.inspect_err(|error| self.close_failed(call.number, error)).ok()
    }

    /// Whether Redis answers just now. A failure closes the connections.
    pub(super) async fn ping(&self) -> Result<(), String> {
        let mut call = self.call().ok_or("no connection is open")?;
        let answer: RedisResult<()> = redis::cmd("PING").query_async(&mut call.connection).await;
        answer.map_err(|error| {
            self.close_failed(call.number, &error);
            error.to_string()
        })
    }

    /// Opens a connection if none is open, registers this replica, and closes a connection that is not needed any more.
    pub(super) async fn send_heartbeat(&self) {
        if !self.is_open() {
            self.connect().await;
        }
        self.narrow();
        let mut beat = self.heartbeat.prepare_invoke();
        if let Some(count) = self.ask::<u32>(beat.key(&self.heartbeat_key).arg(&self.id)).await {
            self.replicas.store(count.max(1), Ordering::Relaxed);
        }
    }

    /// Waits until all connections are busy, and opens another one. Returns false if that failed.
    pub(super) async fn widen(&self) -> bool {
        self.wants_another.notified().await;
        let number = {
            let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
            if lines.open.is_empty() || lines.open.len() >= self.most {
                return true;
            }
            lines.number
        };
        // If Redis is away, the calls find out.
        let Ok(line) = self.open().await else { return false };
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if lines.number == number && !lines.open.is_empty() {
            lines.open.push(line);
        }
        true
    }

    /// Unregisters this replica.
    pub(super) async fn leave(&self) {
        if let Some(mut call) = self.call() {
            // If this fails, the entry of this replica expires after 15 s.
            let _: RedisResult<()> =
                redis::cmd("ZREM").arg(&self.heartbeat_key).arg(&self.id).query_async(&mut call.connection).await;
        }
    }

    /// A place on the connection with the fewest calls.
    fn call(&self) -> Option<Call> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut least) = (0, None);
        for line in &lines.open {
            let calls = line.calls.load(Ordering::Relaxed);
            all += calls;
            if least.is_none_or(|(fewest, _)| calls < fewest) {
                least = Some((calls, line));
            }
        }
        let (calls, line) = least?;
        line.calls.fetch_add(1, Ordering::Relaxed);
        self.peak.fetch_max(all + 1, Ordering::Relaxed);
        if calls >= BUSY && lines.open.len() < self.most {
            self.wants_another.notify_one();
        }
        Some(Call { connection: line.connection.clone(), number: lines.number, calls: line.calls.clone() })
    }

    /// Closes a connection if fewer would have been enough since the last heartbeat.
    fn narrow(&self) {
        let needed = self.peak.swap(0, Ordering::Relaxed).div_ceil(BUSY).max(1);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if lines.open.len() > needed {
            lines.open.pop();
        }
    }

    async fn open(&self) -> Result<Line, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let opened = timeout(CONNECT_TIMEOUT, self.client.get_multiplexed_async_connection_with_config(&config)).await;
        match opened {
            Ok(Ok(connection)) => Ok(Line { connection, calls: Arc::default() }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("timed out".to_owned()),
        }
    }

    async fn connect(&self) {
        match self.open().await {
            Ok(line) => {
                let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
                *lines = Lines { open: vec![line], number: lines.number + 1 };
                if self.warned.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back: the replicas share their rate limits again");
                }
            }
            Err(error) => self.warn(&error),
        }
    }

    fn close_failed(&self, number: u64, error: &redis::RedisError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if lines.number == number && !lines.open.is_empty() {
            lines.open.clear();
            self.warn(&error.to_string());
        }
    }

    /// Logs the first failure only, until the connection is open again.
    fn warn(&self, error: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let replicas = self.replicas();
            tracing::warn!(
                error,
                replicas,
                "Redis cannot be reached: until it is back, each of the {replicas} replicas applies its share of each rate limit"
            );
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
