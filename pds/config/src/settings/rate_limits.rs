//! How many requests whom.

use crate::network::Cidr;
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// How many requests are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// Whether any are refused.
    pub enabled: bool,
    /// From one address, without a session.
    pub unauthenticated: Rate,
    /// Of one account.
    pub authenticated: Rate,
    /// Of the administrator.
    pub admin: Rate,
    /// Shared by the replicas; if unset, when there is Redis.
    pub distributed: Option<bool>,
    /// Clients that are not limited.
    pub bypass_ips: Vec<Cidr>,
    /// Begins every key in Redis.
    pub key_prefix: String,
}

/// The most that clients together may take. `None` follows the machine, see the server's `sizes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections on the public port.
    pub connections: Option<u32>,
    /// Bytes of answers that wait for their readers.
    pub answer_memory: Option<u64>,
    /// Bytes of repositories that are kept in memory.
    pub repo_memory: Option<u64>,
    /// Bytes on disk of exports whose readers are slow.
    pub export_spool: u64,
    /// Open subscriptions to the firehose.
    pub subscribers: u32,
    /// Bytes of earlier events on their way to subscribers.
    pub subscriber_memory: Option<u64>,
}

/// An average and how far a burst may exceed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute.
    pub per_minute: u32,
    /// At once.
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
            key_prefix: reader.value(&setting::CACHE_KEY_PREFIX),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { enabled, unauthenticated, authenticated, admin, distributed, bypass_ips, key_prefix } = self;
        out.put(&setting::RATE_LIMITS_ENABLED, enabled);
        out.put(&setting::RATE_LIMIT_UNAUTHENTICATED, &unauthenticated.per_minute);
        out.put(&setting::RATE_LIMIT_UNAUTHENTICATED_BURST, &unauthenticated.burst);
        out.put(&setting::RATE_LIMIT_AUTHENTICATED, &authenticated.per_minute);
        out.put(&setting::RATE_LIMIT_AUTHENTICATED_BURST, &authenticated.burst);
        out.put(&setting::RATE_LIMIT_ADMIN, &admin.per_minute);
        out.put(&setting::RATE_LIMIT_ADMIN_BURST, &admin.burst);
        out.put_some(&setting::RATE_LIMIT_DISTRIBUTED, distributed.as_ref());
        out.put_list(&setting::RATE_LIMIT_BYPASS_IPS, bypass_ips);
        out.put(&setting::CACHE_KEY_PREFIX, key_prefix);
    }
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            connections: reader.optional(&setting::MAX_CONNECTIONS),
            answer_memory: reader.optional(&setting::ANSWER_MEMORY),
            repo_memory: reader.optional(&setting::REPO_MEMORY),
            export_spool: reader.value(&setting::EXPORT_SPOOL),
            subscribers: reader.value(&setting::MAX_SUBSCRIBERS),
            subscriber_memory: reader.optional(&setting::SUBSCRIBER_MEMORY),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { connections, answer_memory, repo_memory, export_spool, subscribers, subscriber_memory } = self;
        out.put_some(&setting::MAX_CONNECTIONS, connections.as_ref());
        out.put_some(&setting::ANSWER_MEMORY, answer_memory.as_ref());
        out.put_some(&setting::REPO_MEMORY, repo_memory.as_ref());
        out.put(&setting::EXPORT_SPOOL, export_spool);
        out.put(&setting::MAX_SUBSCRIBERS, subscribers);
        out.put_some(&setting::SUBSCRIBER_MEMORY, subscriber_memory.as_ref());
    }
}
