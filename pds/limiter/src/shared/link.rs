//! The connection to Redis: there or not, never waited for.

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

/// An answer that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(2);

/// One connection, on which commands are pipelined, and what is known about it.
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
    /// Which connection it is: the failure of an earlier one does not close it.
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

    /// Replicas when Redis was last asked, this one included.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Relaxed)
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection().open.is_some()
    }

    /// How often Redis did not answer.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The answer to a script; `None` if Redis is not there. Nobody asks it again until it has been reached anew.
    pub(super) async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        let Connection { open, number } = self.connection();
        let answer: RedisResult<T> = script.invoke_async(&mut open?).await;
        answer.inspect_err(|error| self.lost(number, error)).ok()
    }

    /// Connects if need be and says that this replica is there.
    pub(super) async fn beat(&self) {
        if !self.is_open() {
            self.connect().await;
        }
        let mut beat = self.heartbeat.prepare_invoke();
        if let Some(count) = self.ask::<u32>(beat.key(&self.heartbeat_key).arg(&self.id)).await {
            self.replicas.store(count.max(1), Ordering::Relaxed);
        }
    }

    /// Says that this replica goes.
    pub(super) async fn leave(&self) {
        if let Some(mut open) = self.connection().open {
            // If it fails, the others notice by themselves a little later.
            let _: RedisResult<()> =
                redis::cmd("ZREM").arg(&self.heartbeat_key).arg(&self.id).query_async(&mut open).await;
        }
    }

    async fn connect(&self) {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(PATIENCE));
        let opened = timeout(CONNECT, self.client.get_multiplexed_async_connection_with_config(&config)).await;
        let error = match opened {
            Ok(Ok(open)) => {
                let mut connection = self.connection.write().unwrap_or_else(PoisonError::into_inner);
                *connection = Connection { open: Some(open), number: connection.number + 1 };
                if self.warned.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back: replicas share their rate limits again");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.warn(&error);
    }

    fn lost(&self, number: u64, error: &redis::RedisError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        if connection.number == number && connection.open.take().is_some() {
            self.warn(&error.to_string());
        }
    }

    /// Once, until it is back.
    fn warn(&self, error: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let replicas = self.replicas();
            tracing::warn!(
                error,
                replicas,
                "Redis cannot be reached: each replica keeps to its part of the rate limits"
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
