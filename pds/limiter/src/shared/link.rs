//! The connection to Redis. Requests use it if it is open and never wait for it to open.

use std::{
    fmt,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, RedisResult, Script, ScriptInvocation, aio::MultiplexedConnection,
};
use tokio::time::timeout;

/// A call that takes longer counts as failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection with pipelined commands, and its state.
pub(super) struct Link {
    client: Client,
    connection: RwLock<Connection>,
    warned: AtomicBool,
    failures: AtomicU64,
    replicas: AtomicU32,
    heartbeat: Script,
    heartbeat_key: String,
    id: String,
}

#[derive(Clone, Default)]
struct Connection {
    open: Option<MultiplexedConnection>,
    /// Counts connections. A call that failed on an earlier connection does not close this one.
    number: u64,
}

impl Link {
    pub(super) fn new(client: Client, heartbeat_key: String) -> Self {
        Self {
            client,
            connection: RwLock::default(),
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
        self.connection().open.is_some()
    }

    /// Number of failed calls since the start.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The result of a script. `None` if the connection is closed or the call fails. A failure closes the connection.
    pub(super) async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        let Connection { open, number } = self.connection();
        let answer: RedisResult<T> = script.invoke_async(&mut open?).await;
        answer.inspect_err(|error| self.close_failed(number, error)).ok()
    }

    /// Opens the connection if it is closed, and registers this replica.
    pub(super) async fn send_heartbeat(&self) {
        if !self.is_open() {
            self.connect().await;
        }
        let mut beat = self.heartbeat.prepare_invoke();
        if let Some(count) = self.ask::<u32>(beat.key(&self.heartbeat_key).arg(&self.id)).await {
            self.replicas.store(count.max(1), Ordering::Relaxed);
        }
    }

    /// Unregisters this replica.
    pub(super) async fn leave(&self) {
        if let Some(mut open) = self.connection().open {
            // If this fails, the entry of this replica expires after 15 s.
            let _: RedisResult<()> =
                redis::cmd("ZREM").arg(&self.heartbeat_key).arg(&self.id).query_async(&mut open).await;
        }
    }

    async fn connect(&self) {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let opened = timeout(CONNECT_TIMEOUT, self.client.get_multiplexed_async_connection_with_config(&config)).await;
        let error = match opened {
            Ok(Ok(open)) => {
                let mut connection = self.connection.write().unwrap_or_else(PoisonError::into_inner);
                *connection = Connection { open: Some(open), number: connection.number + 1 };
                if self.warned.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back: the replicas share their rate limits again");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        self.warn(&error);
    }

    fn close_failed(&self, number: u64, error: &redis::RedisError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        if connection.number == number && connection.open.take().is_some() {
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

    fn connection(&self) -> Connection {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
