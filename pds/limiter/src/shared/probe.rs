//! A look at Redis for an operator: whether it takes what the limiter asks of it.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Script, aio::MultiplexedConnection};
use tokio::time::timeout;

use super::Redis;

/// Maximum time of the whole look.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the probe's key stays if its deletion fails, in seconds.
const KEPT_S: u64 = 10;
const TEXT: &str = "pds doctor";

/// What a look at Redis has found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Probe {
    /// As the server names it; empty if it does not.
    pub version: String,
    /// The policy by which it may forget keys before they expire. `None` if it keeps them or does not say.
    pub evicts: Option<String>,
}

/// Why Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be reached, or refuses.
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
    /// It does not answer.
    #[error("it does not answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    /// What was read is not what was written.
    #[error("it gave {found:?} for a key that was set to {TEXT:?}")]
    Other {
        /// What was read.
        found: Option<String>,
    },
}

impl Redis {
    /// Connects, writes, reads and deletes a key below the prefix, and runs a script.
    ///
    /// # Errors
    /// What does not work.
    pub async fn probe(&self) -> Result<Probe, ProbeError> {
        timeout(PATIENCE, self.look()).await.map_err(|_| ProbeError::TimedOut)?
    }

    async fn look(&self) -> Result<Probe, ProbeError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let mut open = self.client()?.get_multiplexed_async_connection_with_config(&config).await?;
        let key = format!("{{{}limits}}:doctor:{:016x}", self.prefix, rand::random::<u64>());
        let set = "return redis.call('set', KEYS[1], ARGV[1], 'EX', ARGV[2])";
        let _: () = Script::new(set).key(&key).arg(TEXT).arg(KEPT_S).invoke_async(&mut open).await?;
        let found: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut open).await?;
        let _: u64 = redis::cmd("DEL").arg(&key).query_async(&mut open).await?;
        if found.as_deref() != Some(TEXT) {
            return Err(ProbeError::Other { found });
        }
        Ok(describe(&mut open).await)
    }
}

/// A server may refuse to describe itself and be as useful.
async fn describe(open: &mut MultiplexedConnection) -> Probe {
    let info: String = redis::cmd("INFO").query_async(open).await.unwrap_or_default();
    let field = |name: &str| {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().trim().to_owned()
    };
    let policy = field("maxmemory_policy");
    let is_bounded = !matches!(field("maxmemory").as_str(), "" | "0");
    // The limiter's keys all have a time at which they expire: the policies for volatile keys take them too.
    let evicts = Some(policy).filter(|policy| is_bounded && !policy.is_empty() && policy != "noeviction");
    Probe { version: field("redis_version"), evicts }
}
