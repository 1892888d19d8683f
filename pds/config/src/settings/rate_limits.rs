//! Settings for rate limits, and for the memory and connections of all clients together.

use crate::network::Cidr;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Rate limits per caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    pub enabled: bool,
    /// For each client address, for requests without a session.
    pub unauthenticated: Rate,
    /// For each account.
    pub authenticated: Rate,
    /// For the administrator.
    pub admin: Rate,
    /// Whether the replicas share their limits. `None`: if Redis is configured.
    pub distributed: Option<bool>,
    /// Client addresses without limits.
    pub bypass_ips: Vec<Cidr>,
    /// Whether Redis is used. `None`: if it is configured.
    pub redis: Option<bool>,
    /// Prefix of all keys in Redis.
    pub key_prefix: String,
    /// Maximum number of connections to Redis.
    pub redis_connections: u32,
}

/// Maximum resources of all clients together. `None`: computed from the limits of the container, see `rate_limit/sizes.rs` of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections on the public port.
    pub connections: Option<u32>,
    /// Bytes of responses that clients have not read yet.
    pub answer_memory: Option<u64>,
    /// Bytes of the trees of repositories in memory.
    pub repo_memory: Option<u64>,
    /// Memory for imports in bytes.
    pub import_memory: Option<u64>,
    /// Bytes on disk of exports to slow clients.
    pub export_spool: u64,
    /// Firehose subscribers.
    pub subscribers: u32,
    /// Bytes of past events that are being sent to firehose subscribers.
    pub subscriber_memory: Option<u64>,
}

/// An average rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_minute: u32,
    /// Number of requests that may arrive at once.
    pub burst: u32,
}

impl RateLimits {
    pub(super) fn read(reader: &mut Reader<'_>, dev_mode: bool) -> Self {
        Self {
            enabled: reader.optional(&setting::RATE_LIMITS_ENABLED).unwrap_or(!dev_mode),
            unauthenticated: Rate {
                per_minute: reader.value(&setting::RATE_LIMIT_UNAUTHENTICATED),
                burst: reader.value(&setting::RATE_LIMIT_UNAUTHENTICATED_BURST),
            },
            authenticated: Rate {
                per_minute: reader.value(&setting::RATE_LIMIT_AUTHENTICATED),
                burst: reader.value(&setting::RATE_LIMIT_AUTHENTICATED_BURST),
            },
            admin: Rate {
                per_minute: reader.value(&setting::RATE_LIMIT_ADMIN),
                burst: reader.value(&setting::RATE_LIMIT_ADMIN_BURST),
            },
            distributed: reader.optional(&setting::RATE_LIMIT_DISTRIBUTED),
            bypass_ips: reader.optional(&setting::RATE_LIMIT_BYPASS_IPS).unwrap_or_default(),
            redis: reader.optional(&setting::CACHE_ENABLED),
            key_prefix: reader.value(&setting::CACHE_KEY_PREFIX),
            redis_connections: reader.value(&setting::REDIS_POOL_SIZE),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self {
            enabled,
            unauthenticated,
            authenticated,
            admin,
            distributed,
            bypass_ips,
            redis,
            key_prefix,
            redis_connections,
        } = self;
        out.put(&setting::RATE_LIMITS_ENABLED, enabled);
        out.put(&setting::RATE_LIMIT_UNAUTHENTICATED, &unauthenticated.per_minute);
        out.put(&setting::RATE_LIMIT_UNAUTHENTICATED_BURST, &unauthenticated.burst);
        out.put(&setting::RATE_LIMIT_AUTHENTICATED, &authenticated.per_minute);
        out.put(&setting::RATE_LIMIT_AUTHENTICATED_BURST, &authenticated.burst);
        out.put(&setting::RATE_LIMIT_ADMIN, &admin.per_minute);
        out.put(&setting::RATE_LIMIT_ADMIN_BURST, &admin.burst);
        out.put_some(&setting::RATE_LIMIT_DISTRIBUTED, distributed.as_ref());
        out.put_list(&setting::RATE_LIMIT_BYPASS_IPS, bypass_ips);
        out.put_some(&setting::CACHE_ENABLED, redis.as_ref());
        out.put(&setting::CACHE_KEY_PREFIX, key_prefix);
        out.put(&setting::REDIS_POOL_SIZE, redis_connections);
    }
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            connections: reader.optional(&setting::MAX_CONNECTIONS),
            answer_memory: reader.optional(&setting::ANSWER_MEMORY),
            repo_memory: reader.optional(&setting::REPO_MEMORY),
            import_memory: reader.optional(&setting::IMPORT_MEMORY),
            export_spool: reader.value(&setting::EXPORT_SPOOL),
            subscribers: reader.value(&setting::MAX_SUBSCRIBERS),
            subscriber_memory: reader.optional(&setting::SUBSCRIBER_MEMORY),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self {
            connections,
            answer_memory,
            repo_memory,
            import_memory,
            export_spool,
            subscribers,
            subscriber_memory,
        } = self;
        out.put_some(&setting::MAX_CONNECTIONS, connections.as_ref());
        out.put_some(&setting::ANSWER_MEMORY, answer_memory.as_ref());
        out.put_some(&setting::REPO_MEMORY, repo_memory.as_ref());
        out.put_some(&setting::IMPORT_MEMORY, import_memory.as_ref());
        out.put(&setting::EXPORT_SPOOL, export_spool);
        out.put(&setting::MAX_SUBSCRIBERS, subscribers);
        out.put_some(&setting::SUBSCRIBER_MEMORY, subscriber_memory.as_ref());
    }
}
